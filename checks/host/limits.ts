import { defineCheck } from '../../src/check.ts'
import { calling, memory, plannedUpload, processLimits, route } from '../../src/needs/declarations.ts'
import { bytes, exactBytes } from '../../src/words.ts'

/** File handles that Python with MLflow 3.17.2 holds before it uploads (6, measured), with as many again for the training's own. */
const held = 12
/** s3transfer's TransferConfig: max_concurrency. */
const s3Threads = 10
/** What `ulimit -f` counts in, in bytes, by POSIX; bash, where it is not called sh, counts 1024, and the same number is then twice as much. */
const block = 512

export default defineCheck({
  id: 'host/limits',
  title: 'The limits of this shell let the client write and open the files that an upload needs',
  severity: 'error',
  on: ['check'],
  answers: ['limits'],
  needs: [processLimits],
  wants: [plannedUpload, calling, route, memory],
  facts: { openFiles: 'count', handlesNeeded: 'count' },
  explain: {
    measures:
      "Reads the soft limits that a training process started here inherits (`ulimit -f`, `ulimit -n`; /proc on Linux, the shell elsewhere). The largest file that a process may write bounds every file of log_model, which first writes a copy of the model, and every file that goes into a folder. Open files are compared with the client's threads, two handles for each.",
    breaks:
      'A file above `ulimit -f` ends log_model with "OSError: [Errno 27] File too large" after training, before a byte is sent. With too few file handles parts fail one by one with "Too many open files".',
    remedy:
      'Raise the limit in the shell, the job or the container that starts the training. Batch systems set `ulimit -f` in their queues.',
  },
  async *run({ processLimits: { fileBytes, openFiles }, plannedUpload: plan, calling, route: by, memory }) {
    if (fileBytes !== undefined) {
      const copies = (plan?.as ?? calling) !== 'log_artifact'
      yield {
        kind: 'limit',
        hop: 'host',
        setting: 'ulimit -f',
        scope: 'file',
        max: { bytes: fileBytes },
        basis: 'measured',
        ...(!copies && { routes: ['folder-copy'] as const }),
        because: copies
          ? `log_model first writes a copy of each file, and a process of this shell may write none above ${bytes(fileBytes)}`
          : `the client writes each file into the folder, and a process of this shell may write none above ${bytes(fileBytes)}`,
        remedy: (needed) => ({
          text: `Raise the limit in the shell that starts the training${needed === undefined ? '' : `, to ${exactBytes(needed)} or more`}; where the hard limit forbids that, in the queue or the container.`,
          commands: [`ulimit -f ${needed === undefined ? 'unlimited' : Math.ceil(needed / block)}`],
        }),
      }
    }
    const threads =
      by === undefined || !by.multipart ? 1 : by.proxied ? Math.min(2 * (memory?.processors ?? 10), 20) : s3Threads
    const needed = held + 2 * threads
    if (openFiles === undefined || openFiles >= needed) return
    yield {
      kind: 'finding',
      at: 'ulimit -n',
      says: `a process of this shell may have ${openFiles} files and connections open, and the client needs about ${needed} to upload by ${threads} threads`,
      facts: { openFiles, handlesNeeded: needed },
      remedy: { text: 'Raise the limit in the shell that starts the training.', commands: ['ulimit -n 1024'] },
    }
  },
})
