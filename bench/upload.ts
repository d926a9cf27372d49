import { randomBytes } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { connect as connectTcp, createServer } from 'node:net'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { bytes } from '../src/words.ts'
import { startNginx } from '../test/lab/nginx.ts'
import { freshDir, removeDir } from '../test/lab/scratch.ts'
import { benchPython, mlflowPython } from '../test/lab/venv.ts'
import { startVersitygw } from '../test/lab/versitygw.ts'
import { type Measured, measured, median, type Program } from './measured.ts'
import { doctorUpload, mlflowUpload, rclone, s5cmd } from './tools.ts'

/**
 * `npm run bench:upload`: one large file, and many of 8 MiB, to versitygw over HTTP and TLS, beside the usual tools,
 * interleaved. ROUNDS (3), LARGE (2048, MiB) and MANY (200) make it smaller. Fails on no figure.
 */

const MiB = 1024 ** 2
const rounds = Number(process.env.ROUNDS ?? 3)
const large = Number(process.env.LARGE ?? 2048) * MiB
const many = Number(process.env.MANY ?? 200)

/** Tools whose bytes the store checks on arrival: CRC32 (aws), MD5 (rclone), SHA-256 in the signature (s5cmd). MLflow's client, by boto3, is shown beside them. */
const checking = ['s5cmd', 'aws', 'rclone']

const write = async (path: string, size: number): Promise<void> =>
  pipeline(async function* () {
    for (let done = 0; done < size; done += 8 * MiB) yield randomBytes(Math.min(8 * MiB, size - done))
  }, createWriteStream(path))

interface Place {
  readonly endpoint: string
  readonly caFile?: string
  readonly env: Record<string, string>
}

interface Work {
  readonly dir: string
  readonly size: number
}

const programs = async (home: string) => {
  const [s5, rc, python, mlflow] = [await s5cmd(), await rclone(), await benchPython(), await mlflowPython()]
  const common = (place: Place): Record<string, string> => ({
    ...{ HOME: home, PATH: process.env.PATH ?? '' },
    ...place.env,
    ...(place.caFile === undefined ? {} : { AWS_CA_BUNDLE: place.caFile, SSL_CERT_FILE: place.caFile }),
  })
  const doctor =
    (...more: readonly string[]) =>
    (place: Place, { dir }: Work, to: string): Program => ({
      command: [...doctorUpload(dir, to), ...more],
      env: { ...common(place), MLFLOW_S3_ENDPOINT_URL: place.endpoint, XDG_STATE_HOME: join(home, 'state') },
      good: [0],
    })
  const run: Record<string, (place: Place, work: Work, to: string) => Program> = {
    'mlflow-doctor': doctor(),
    'mlflow-doctor --memory 16MiB': doctor('--memory', '16MiB'),
    s5cmd: (place, { dir }, to) => ({
      command: [s5, '--endpoint-url', place.endpoint, 'cp', `${dir}/`, `s3://${to}/`],
      ...{ env: common(place), good: [0] },
    }),
    aws: (place, { dir }, to) => ({
      command: [
        python,
        '-m',
        'awscli',
        '--endpoint-url',
        place.endpoint,
        's3',
        'cp',
        '--quiet',
        '--recursive',
        dir,
        `s3://${to}`,
      ],
      ...{ env: common(place), good: [0] },
    }),
    rclone: (place, { dir }, to) => ({
      command: [
        ...[
          rc,
          'copy',
          '--config',
          '/dev/null',
          '--s3-provider',
          'Other',
          '--s3-env-auth',
          '--s3-endpoint',
          place.endpoint,
        ],
        ...['--s3-force-path-style', '--s3-no-check-bucket', dir, `:s3:${to}`],
        ...(place.caFile === undefined ? [] : ['--ca-cert', place.caFile]),
      ],
      ...{ env: common(place), good: [0] },
    }),
    'MLflow client': (place, { dir }, to) => ({
      command: mlflowUpload(mlflow, dir, to),
      env: { ...common(place), MLFLOW_S3_ENDPOINT_URL: place.endpoint },
      good: [0],
    }),
  }
  return run
}

/** Counts what a client sends, in a round of its own that is not timed. */
const counting = async (endpoint: string) => {
  const upstream = new URL(endpoint)
  let sent = 0
  const server = createServer((socket) => {
    const onward = connectTcp(Number(upstream.port), upstream.hostname)
    socket.on('data', (chunk: Buffer) => {
      sent += chunk.length
    })
    socket.pipe(onward).pipe(socket)
    for (const each of [socket, onward]) each.on('error', () => each.destroy())
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the counter has no port')
  return {
    url: `${upstream.protocol}//127.0.0.1:${address.port}`,
    sent: () => sent,
    stop: () => server.close(),
  }
}

const table = (
  runs: ReadonlyMap<string, readonly Measured[]>,
  sent: ReadonlyMap<string, number>,
  size: number,
): void => {
  const of = (name: string, what: 'wall' | 'cpu' | 'rss') => median(runs.get(name)?.map((run) => run[what]) ?? [])
  const best = (what: 'wall' | 'cpu') => Math.min(...checking.map((name) => of(name, what)))
  const bestCpu = checking.find((name) => of(name, 'cpu') === best('cpu')) ?? ''
  console.log(
    '| tool | wall s | CPU s per GiB | peak RSS MiB | sent | wall, of the best checking by CPU | CPU, of it |',
  )
  console.log('| --- | --- | --- | --- | --- | --- | --- |')
  for (const name of runs.keys()) {
    const row = [
      name,
      of(name, 'wall').toFixed(1),
      ((of(name, 'cpu') / size) * 1024 ** 3).toFixed(2),
      Math.round(of(name, 'rss') / MiB),
      sent.has(name) ? `${(((sent.get(name) ?? 0) / size) * 100).toFixed(2)} %` : '',
      (of(name, 'wall') / of(bestCpu, 'wall')).toFixed(2),
      (of(name, 'cpu') / of(bestCpu, 'cpu')).toFixed(2),
    ]
    console.log(`| ${row.join(' | ')} |`)
  }
}

const dir = await freshDir('bench-upload')
const gateway = await startVersitygw()
const tls = await startNginx({
  upstream: gateway.endpoint,
  tls: true,
  directives:
    'client_max_body_size 0; proxy_request_buffering off; proxy_http_version 1.1; proxy_set_header Host $http_host;',
})
try {
  const works: Work[] = []
  for (const [name, count, size] of [
    ['large', 1, large],
    ['many', many, 8 * MiB],
  ] as const) {
    const at = join(dir, name)
    await mkdir(at)
    for (let n = 0; n < count; n += 1) await write(join(at, `f${String(n).padStart(3, '0')}.bin`), size)
    works.push({ dir: at, size: count * size })
  }
  const run = await programs(dir)
  const places: [string, Place][] = [
    ['HTTP', { endpoint: gateway.endpoint, env: gateway.env }],
    ['TLS', { endpoint: tls.url, ...(tls.caFile === undefined ? {} : { caFile: tls.caFile }), env: gateway.env }],
  ]
  // What an interpreter compiles once is not what an upload takes.
  const warm: Work = { dir: join(dir, 'warm'), size: MiB }
  await mkdir(warm.dir)
  await write(join(warm.dir, 'small.bin'), MiB)
  for (const program of Object.values(run)) {
    await measured(program({ endpoint: gateway.endpoint, env: gateway.env }, warm, `${await gateway.bucket()}/warm`))
  }
  for (const [line, place] of places) {
    for (const work of works) {
      const runs = new Map<string, Measured[]>()
      const sent = new Map<string, number>()
      for (let round = 0; round < rounds; round += 1) {
        for (const [name, program] of Object.entries(run)) {
          const bucket = await gateway.bucket()
          const took = await measured(program(place, work, `${bucket}/to`))
          runs.set(name, [...(runs.get(name) ?? []), took])
          await removeDir(join(gateway.data, bucket))
        }
      }
      if (line === 'HTTP') {
        for (const [name, program] of Object.entries(run)) {
          const bucket = await gateway.bucket()
          const counter = await counting(place.endpoint)
          await measured(program({ ...place, endpoint: counter.url }, work, `${bucket}/to`))
          sent.set(name, counter.sent())
          counter.stop()
          await removeDir(join(gateway.data, bucket))
        }
      }
      console.log(
        `\n${work.dir.endsWith('large') ? bytes(work.size) : `${many} files of 8 MiB`} over ${line}, ${rounds} rounds`,
      )
      table(runs, sent, work.size)
    }
  }
} finally {
  await tls.stop()
  await gateway.stop()
  await removeDir(dir)
}
