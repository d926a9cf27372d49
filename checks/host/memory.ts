import { defineCheck } from '../../src/check.ts'
import { memory, plannedUpload, route, tempFolder } from '../../src/needs/declarations.ts'
import { bytes } from '../../src/words.ts'

/** Resident size of a Python process with MLflow 3.17.2 that uploads; the same for 300 KB and for 1 GiB (measured). */
const client = 166 * 1024 ** 2

/** s3transfer's TransferConfig: 10 threads with 8 MiB each. */
const s3Threads = 10

export default defineCheck({
  id: 'host/memory',
  title: "This machine has the memory that MLflow's client needs to upload",
  severity: 'error',
  on: ['check'],
  needs: [memory],
  wants: [tempFolder, plannedUpload, route],
  facts: { needed: 'bytes', available: 'bytes', buffers: 'bytes', copy: 'bytes', limit: 'bytes' },
  explain: {
    measures:
      "Adds up what MLflow's client takes: 166 MiB of its own, one part in memory for each thread (the multipart chunk times min(2 × processors, 20) on the route of signed parts, 10 × 8 MiB with boto3), and the whole copy of the model where the temp folder is in memory. Compares that with what a new process can take here: MemAvailable, and the room left in every cgroup above this process. Where there is no MemAvailable (macOS, Windows), too little free memory proves nothing and is told as such.",
    breaks:
      'The kernel kills the training process when the cgroup of its container is full: no exception, no clean-up, the logged model stays PENDING and a multipart upload stays open.',
    remedy:
      'Raise the memory limit of the container, move TMPDIR from memory to a disk, or lower MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE (not below 5 MiB, the smallest part that S3 takes).',
  },
  async *run({ memory: has, tempFolder: temp, plannedUpload: plan, route: by }) {
    const inParts =
      by?.multipart === true && (plan === undefined || plan.files.some((file) => file.bytes >= by.multipartMinimum))
    const threads = by?.proxied ? Math.min(2 * has.processors, 20) : s3Threads
    const buffers = inParts && by !== undefined ? by.multipartChunk * threads : 0
    const copy = temp?.inMemory && plan?.as === 'log_model' ? plan.total : 0
    const needed = client + buffers + copy
    if (needed <= has.available) return
    const cause = [
      `${bytes(client)} for the client`,
      ...(buffers > 0 && by ? [`${bytes(buffers)} for ${threads} parts of ${bytes(by.multipartChunk)}`] : []),
      ...(copy > 0 && temp ? [`${bytes(copy)} for log_model's copy in ${temp.path}, which is in memory`] : []),
    ].join(', ')
    if (has.rough) {
      yield {
        kind: 'gap',
        at: 'memory',
        cannot: 'prove',
        because: `the upload needs ${bytes(needed)} of memory (${cause}), and ${bytes(has.available)} lie free; how much more this system would give up on demand, it does not tell`,
        unexpected: false,
        about: 'limits',
      }
      return
    }
    const from = has.limit === undefined ? '' : ` under the limit of ${bytes(has.limit)} in ${has.limitFrom}`
    yield {
      kind: 'finding',
      at: has.limitFrom ?? 'memory',
      says: `the upload needs ${bytes(needed)} of memory (${cause}), and ${bytes(has.available)} are left${from}`,
      facts: { needed, available: has.available, buffers, copy, ...(has.limit !== undefined && { limit: has.limit }) },
      remedy: {
        text:
          copy > 0
            ? `Point TMPDIR at a folder on a disk; what is then left to find is ${bytes(client + buffers)}.`
            : `Free memory, or raise the limit${has.limitFrom ? ` of this container` : ''} so that at least ${bytes(needed)} are left for the upload.`,
        ...(copy > 0 && { commands: ['export TMPDIR=/path/on/a/large/disk'] }),
      },
    }
  },
})
