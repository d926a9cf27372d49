import { defineCheck } from '../../src/check.ts'
import { contents, localTree, loggedModel, manifest, orphanAge, target } from '../../src/needs/declarations.ts'
import { shellWord } from '../../src/words.ts'
import { standing } from '../model/status.ts'
import { isLater } from './told/later.ts'
import { untoldGap } from './told/untold.ts'

export default defineCheck({
  id: 'artifact/content',
  title: 'What is stored is what the manifest and the local folder hold, byte for byte',
  severity: 'error',
  on: ['scan'],
  needs: [target, contents],
  wants: [localTree, manifest, loggedModel, orphanAge],
  facts: { comparedWith: 'text', modelStatus: 'text' },
  explain: {
    measures:
      'For files whose size agrees: holds the checksum that the store keeps (CRC32, MD5, or the ETag of a multipart upload recomputed for the usual part sizes) against the folder given by --against or --from and against the manifest of an earlier upload or repair. With --depth full or sample, what no such checksum proves is read back whole.',
    breaks:
      'A file of the right size with other bytes in it loads as usual and gives wrong results; neither the size nor MLflow tells.',
    remedy:
      'Find out which of the two is the right one. `mlflow-doctor repair --overwrite PATH` replaces what is stored by the local file.',
  },
  async *run({ target, contents, localTree, manifest, loggedModel, orphanAge }) {
    const { clause, facts } = standing(loggedModel, orphanAge)
    for (const { path, because, with: against, modified } of contents.different) {
      const later = against === 'manifest' && isLater(modified, manifest)
      const dir = against === 'folder' ? (localTree?.dir ?? 'the local folder') : undefined
      yield {
        kind: 'finding',
        at: `${target.name}/${path}`,
        says: `its content is not what ${dir ?? 'the manifest'} ${dir === undefined ? 'says' : 'holds'}: ${because}${later ? '; it was written after the manifest' : ''}${clause}`,
        severity: later ? 'warning' : 'error',
        facts: { comparedWith: dir ?? 'manifest', ...facts },
        remedy: {
          text: `Decide which of the two is right; repair replaces the stored file only with --overwrite ${shellWord(path)}.`,
        },
        wants: [{ want: 'file', target: target.name, path }],
      }
    }
    for (const each of contents.untold) {
      yield untoldGap(
        target.name,
        each,
        `its content was not compared: ${each.because}${each.unexpected ? '' : '; --depth full reads it back'}`,
      )
    }
  },
})
