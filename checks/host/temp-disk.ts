import { defineCheck } from '../../src/check.ts'
import { calling, plannedUpload, tempFolder } from '../../src/needs/declarations.ts'
import { bytes, count, exactBytes } from '../../src/words.ts'

/** Room to ask for, over the size of the model: environment files, block rounding, and what else writes there meanwhile. */
const margin = 1.1

/** Without a plan: a temp folder with less room than this holds no large model. */
const nearlyFull = 1024 ** 3

export default defineCheck({
  id: 'host/temp-disk',
  title: "This machine's temp folder has room for the copy that log_model makes",
  severity: 'error',
  on: ['check'],
  answers: ['limits'],
  needs: [tempFolder],
  wants: [plannedUpload, calling],
  facts: { folder: 'text', free: 'bytes', needed: 'bytes', freeInodes: 'count', files: 'count' },
  explain: {
    measures:
      'Finds the folder that Python picks for temporary files (TMPDIR, TEMP, TMP, then /tmp, /var/tmp, /usr/tmp and the working folder), by writing four bytes to it as Python does, and compares its free bytes and inodes with the planned upload. For log_model the planned bytes themselves must fit, and room for less than 1.1 times as many is a warning; log_artifact needs no room there.',
    breaks:
      'MLflow’s log_model first saves the whole model to the temp folder and then uploads it. A folder that is full, read-only or short of inodes ends the call with "No space left on device" after training, before a byte is sent. Where the folder is in memory (tmpfs), the copy takes memory instead.',
    remedy:
      'Point TMPDIR at a folder on a disk with enough room before the training process starts. A folder that TMPDIR names but that cannot be written to is passed over by Python without a word.',
  },
  async *run({ tempFolder: temp, plannedUpload: plan, calling }) {
    const at = temp.path
    const room = {
      folder: temp.path,
      free: temp.free,
      ...(temp.freeInodes !== undefined && { freeInodes: temp.freeInodes }),
    }
    const as = plan?.as ?? calling
    if (temp.unwritable !== undefined) {
      if (as === 'log_model') {
        yield {
          kind: 'limit',
          hop: 'host',
          setting: 'TMPDIR',
          scope: 'total',
          max: { bytes: 0 },
          basis: 'measured',
          because: `log_model first writes a full copy to a temp folder, and there is none; ${temp.path} cannot be written to: ${temp.unwritable}`,
          remedy: elsewhere,
        }
      }
      yield {
        kind: 'finding',
        at,
        ...(as === 'log_artifact' && { severity: 'info' as const }),
        says: `Python finds no folder for temporary files; the first that it tries, ${temp.path}, cannot be written to: ${temp.unwritable}`,
        facts: room,
        remedy: elsewhere(plan?.total),
      }
      return
    }
    for (const { path, from, why } of temp.passedOver ?? []) {
      if (from === 'default') continue
      yield {
        kind: 'finding',
        at: path,
        severity: 'warning',
        says: `${from} names ${path}, where nothing can be written (${why}), so Python quietly uses ${temp.path} with ${bytes(temp.free)} free`,
        facts: room,
        remedy: { text: `Make ${path} writable, or point ${from} at a folder that is.` },
      }
    }
    if (as === 'log_model') {
      yield {
        kind: 'limit',
        hop: 'host',
        setting: 'TMPDIR',
        scope: 'total',
        max: { bytes: temp.free },
        basis: 'measured',
        because: `log_model first writes a full copy to ${temp.path}, where ${bytes(temp.free)} are free`,
        remedy: elsewhere,
      }
    }
    if (plan === undefined) {
      if (temp.free >= nearlyFull) return
      yield {
        kind: 'finding',
        at,
        severity: 'warning',
        says: `only ${bytes(temp.free)} are free in the temp folder, where log_model saves the whole model first`,
        facts: room,
        remedy: elsewhere(undefined),
      }
      return
    }
    if (plan.as !== 'log_model') return
    const needed = Math.ceil(plan.total * margin)
    const facts = { ...room, needed, files: plan.files.length }
    if (plan.total > temp.free) {
      yield {
        kind: 'finding',
        at,
        says: `log_model first writes a full copy of ${exactBytes(plan.total)} to the temp folder, where ${exactBytes(temp.free)} are free`,
        facts,
        remedy: elsewhere(plan.total),
      }
    } else {
      if (needed > temp.free) {
        yield {
          kind: 'finding',
          at,
          severity: 'warning',
          says: `log_model's copy of ${bytes(plan.total)} leaves ${exactBytes(temp.free - plan.total)} free in the temp folder, little for environment files, block rounding and what else writes there meanwhile`,
          facts,
          remedy: elsewhere(plan.total),
        }
      }
      if (temp.inMemory) {
        yield {
          kind: 'finding',
          at,
          severity: 'warning',
          says: `the temp folder is in memory (${temp.filesystem ?? 'tmpfs'}), so log_model's copy takes ${bytes(plan.total)} of memory beside the model itself`,
          facts,
          remedy: elsewhere(plan.total),
        }
      }
    }
    if (temp.freeInodes !== undefined && temp.freeInodes < plan.files.length) {
      yield {
        kind: 'finding',
        at,
        says: `the temp folder has room for ${count(temp.freeInodes, 'more file')} (inodes), and the plan has ${plan.files.length}`,
        facts,
        remedy: elsewhere(plan.total),
      }
    }
  },
})

const elsewhere = (total: number | undefined) => ({
  text:
    total === undefined
      ? 'Point TMPDIR at a folder on a disk with more room before the training process starts.'
      : `Point TMPDIR at a folder on a disk with at least ${bytes(Math.ceil(total * margin))} free before the training process starts.`,
  commands: ['export TMPDIR=/path/on/a/large/disk'],
})
