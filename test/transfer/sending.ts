import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Transferred } from '../../src/transfer/engine.ts'

/** The steps at which sender.ts can be told to kill itself. */
export const moments = [
  'before create',
  'after create',
  'before part 3',
  'after part 3',
  'after the journal of part 3',
  'before complete',
  'after complete',
  'after verification',
] as const
export type Moment = (typeof moments)[number]

export interface Orders {
  readonly source: string
  /** `s3://bucket/prefix`, or a folder. */
  readonly to: string
  readonly path: string
  readonly journalDir: string
  readonly memoryBytes: number
  readonly concurrency: number
  /** Bytes, for folders: small parts make many steps. */
  readonly partSize?: number
  readonly dieAt?: Moment
}

export interface Ended {
  readonly killed: boolean
  /** The result, when it came to one. */
  readonly done: Transferred | undefined
  readonly trouble: { readonly kind: string; readonly message: string } | undefined
  readonly stderr: string
}

/** Runs sender.ts in a process of its own. `watch` is called with each event and may kill it. */
export const send = async (
  orders: Orders,
  env: Record<string, string> = {},
  watch: (event: Record<string, unknown>, kill: () => void) => void = () => undefined,
): Promise<Ended> => {
  const script = join(import.meta.dirname, 'sender.ts')
  const child = spawn(process.execPath, [script, JSON.stringify(orders)], {
    env: {
      PATH: process.env.PATH ?? '',
      MLFLOW_TRACKING_URI: 'http://127.0.0.1:9',
      AWS_EC2_METADATA_DISABLED: 'true',
      ...env,
    },
  })
  let stdout = ''
  let stderr = ''
  const events: Record<string, unknown>[] = []
  const kill = (): void => void child.kill('SIGKILL')
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString()
  })
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString()
    for (let end = stdout.indexOf('\n'); end >= 0; end = stdout.indexOf('\n')) {
      const event = JSON.parse(stdout.slice(0, end)) as Record<string, unknown>
      stdout = stdout.slice(end + 1)
      events.push(event)
      watch(event, kill)
    }
  })
  await once(child, 'close')
  const found = (name: string): unknown => events.find(({ event }) => event === name)
  return {
    killed: child.signalCode === 'SIGKILL',
    done: found('done') as Transferred | undefined,
    trouble: found('trouble') as Ended['trouble'],
    stderr,
  }
}
