import { type ChildProcess, spawn } from 'node:child_process'
import { mkdir, readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { doctorUpload } from './tools.ts'

/** Uploads into the sink, watched while they run. */

const program = fileURLToPath(new URL('sink.ts', import.meta.url))

export interface Sink {
  readonly url: string
  /** Bytes that it has acknowledged. */
  bytes(): number
  stop(): void
}

export const startSink = async (): Promise<Sink> => {
  const child = spawn(process.execPath, [program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let port = 0
  let bytes = 0
  let rest = ''
  child.stdout.on('data', (data: Buffer) => {
    const lines = (rest + data).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      const told = JSON.parse(line) as { port?: number; bytes?: number }
      port = told.port ?? port
      bytes = told.bytes ?? bytes
    }
  })
  while (port === 0) await new Promise((done) => setTimeout(done, 50))
  return { url: `http://127.0.0.1:${port}`, bytes: () => bytes, stop: () => void child.kill() }
}

export interface Uploading {
  readonly child: ChildProcess
  readonly ended: Promise<number | null>
  /** Resident bytes now; undefined when it has ended. */
  rss(): Promise<number | undefined>
}

export const startUpload = (dir: string, endpoint: string, home: string, more: readonly string[] = []): Uploading => {
  const [program = '', ...words] = doctorUpload(dir, 'sink/to')
  const child = spawn(program, [...words, '--settle', '0', '--json', '--output', join(home, 'report.json'), ...more], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      ...{ PATH: process.env.PATH, HOME: home, XDG_STATE_HOME: join(home, 'state') },
      ...{ AWS_ACCESS_KEY_ID: 'sink', AWS_SECRET_ACCESS_KEY: 'sink', AWS_EC2_METADATA_DISABLED: 'true' },
      MLFLOW_S3_ENDPOINT_URL: endpoint,
    },
  })
  return {
    child,
    ended: new Promise((done) => child.on('exit', done)),
    async rss() {
      const status = await readFile(`/proc/${child.pid}/status`, 'utf8').catch(() => '')
      const kib = /^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]
      return kib === undefined ? undefined : Number(kib) * 1024
    },
  }
}

/** A folder with one sparse file: it takes no disk, and is read and sent as any other. */
export const sparse = async (home: string, bytes: number): Promise<string> => {
  const dir = join(home, 'sparse')
  await mkdir(dir)
  await writeFile(join(dir, 'large.bin'), '')
  await truncate(join(dir, 'large.bin'), bytes)
  return dir
}
