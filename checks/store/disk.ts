import { defineCheck } from '../../src/check.ts'
import { calling, destinationFolder, plannedUpload, tempFolder } from '../../src/needs/declarations.ts'
import { bytes, exactBytes } from '../../src/words.ts'

export default defineCheck({
  id: 'store/disk',
  title: 'The folder that artifacts are copied to has room for them',
  severity: 'error',
  on: ['check'],
  answers: ['limits'],
  needs: [destinationFolder],
  wants: [tempFolder, plannedUpload, calling],
  facts: { folder: 'text', free: 'bytes', needed: 'bytes', freeInodes: 'count', files: 'count' },
  explain: {
    measures:
      'Asks the file system for the free bytes and inodes of the folder that artifacts are copied to, or of the innermost folder on the way that exists. Where log_model saves its copy on the same file system, that copy lies there at the same time, and only half of the free bytes are left for each.',
    breaks:
      'A copy that runs into a full disk ends with "No space left on device". What was copied by then stays and keeps the disk full: as a hidden .artifact.uploading file, and with older versions of MLflow under the final name, too short.',
    remedy: 'Make room on that file system, or log to an experiment whose artifact location lies elsewhere.',
  },
  async *run({ destinationFolder: to, tempFolder: temp, plannedUpload: plan, calling }) {
    const twice = (plan?.as ?? calling) === 'log_model' && temp?.device !== undefined && temp.device === to.device
    const free = twice ? Math.floor(to.free / 2) : to.free
    const why = `${bytes(to.free)} are free at ${to.path}${twice ? `, where log_model's copy in ${temp.path} lies as well` : ''}`
    const remedy = (needed: number | undefined) => ({
      text: `${needed === undefined ? 'Make room' : `Have at least ${bytes(needed * (twice ? 2 : 1))} free`} on the file system of ${to.path}${twice ? ', or point TMPDIR at another one' : ''}, or log to an experiment whose artifact location lies elsewhere.`,
    })
    yield {
      kind: 'limit',
      hop: 'store',
      setting: 'free space of the artifact folder',
      scope: 'total',
      max: { bytes: free },
      basis: 'measured',
      routes: ['folder-copy'],
      because: why,
      remedy,
    }
    if (plan === undefined) return
    const facts = {
      folder: to.path,
      free: to.free,
      needed: plan.total * (twice ? 2 : 1),
      files: plan.files.length,
      ...(to.freeInodes !== undefined && { freeInodes: to.freeInodes }),
    }
    if (plan.total > free) {
      const says = `the upload of ${exactBytes(plan.total)} does not fit: ${why}`
      yield { kind: 'finding', at: to.path, says, facts, remedy: remedy(plan.total) }
    } else if (to.freeInodes !== undefined && to.freeInodes < plan.files.length) {
      const says = `the file system of ${to.path} takes ${to.freeInodes} more files (inodes), and the plan has ${plan.files.length}`
      yield { kind: 'finding', at: to.path, says, facts, remedy: remedy(undefined) }
    }
  },
})
