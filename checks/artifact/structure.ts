import { defineCheck } from '../../src/check.ts'
import { listing, loggedModel, orphanAge, structures, target } from '../../src/needs/declarations.ts'
import { exactBytes } from '../../src/words.ts'
import { standing } from '../model/status.ts'
import { restore } from './remedies/restore.ts'
import { untoldGap } from './told/untold.ts'

export default defineCheck({
  id: 'artifact/structure',
  title: 'No stored file is cut or filled with zeros, as far as its format tells',
  severity: 'error',
  on: ['scan'],
  answers: ['structure'],
  needs: [target, listing, structures],
  wants: [loggedModel, orphanAge],
  facts: { judgement: 'text', format: 'text', stored: 'bytes', expected: 'bytes', modelStatus: 'text' },
  explain: {
    measures:
      'Reads the head and the tail of each file, and what its headers point at, and does the arithmetic of its format: 64 KiB each and a few small reads, never the whole file unless --depth full or sample asks for it; then the checksums inside the file are verified as well. The format is told by content first and by name second.',
    breaks:
      'A truncated data file loads in MLflow without any error, download_artifacts succeeds on every damage, and MLflow keeps no checksum. `broken` means that the usual reader of the format could not read the file whole; `suspect` is a sign without proof, such as a tail of zeros that begins at a page boundary, and is only a warning.',
    remedy:
      'Run `mlflow-doctor repair` with --from naming a folder that holds the whole file, or log it again. A file that its own reader opens without trouble is one to be shown to the makers of this tool.',
  },
  async *run({ target, listing, structures, loggedModel, orphanAge }) {
    const { clause, facts } = standing(loggedModel, orphanAge)
    for (const { path, size, judgement, because, format, expected } of structures.doubtful) {
      const is = judgement === 'broken' ? 'it is broken' : 'it may be damaged'
      yield {
        kind: 'finding',
        at: `${target.name}/${path}`,
        says: `${is}${format === undefined ? '' : ` as ${format}`}: ${because}${clause}`,
        severity: judgement === 'broken' ? 'error' : 'warning',
        facts: {
          judgement,
          stored: size,
          ...(format === undefined ? {} : { format }),
          // A claim of 2^60 bytes is hostile or damaged itself, and no number for a report.
          ...(expected === undefined || !Number.isSafeInteger(expected) ? {} : { expected }),
          ...facts,
        },
        remedy: restore(target.name, path, listing.files),
        wants: [{ want: 'file', target: target.name, path }],
      }
    }
    for (const { from, path, least } of structures.refers) {
      const stored = listing.files.get(path)?.size
      if (stored === undefined || least === undefined || stored >= least) continue
      yield {
        kind: 'finding',
        at: `${target.name}/${path}`,
        says: `${exactBytes(stored)} are stored, and ${from} reads it up to byte ${least}${clause}`,
        facts: { judgement: 'broken', stored, expected: least, ...facts },
        remedy: restore(target.name, path, listing.files),
        wants: [{ want: 'file', target: target.name, path }],
      }
    }
    for (const each of structures.untold) {
      yield untoldGap(target.name, each, each.because)
    }
  },
})
