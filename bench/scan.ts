import { execFileSync } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { bytes } from '../src/words.ts'
import { freshDir, removeDir } from '../test/lab/scratch.ts'
import { startVersitygw } from '../test/lab/versitygw.ts'
import { type Measured, measured, median, type Program } from './measured.ts'
import { rclone, s5cmd } from './tools.ts'

// `npm run bench:scan`: what a scan of many small objects costs beside tools that only list them. Fails on no figure.

const { values } = parseArgs({
  options: {
    objects: { type: 'string', default: '100000' },
    experiments: { type: 'string', default: '20' },
    rounds: { type: 'string', default: '3' },
    /** Leaves the other tools out, for long lists. */
    alone: { type: 'boolean', default: false },
  },
})
const [objects, experiments, rounds] = [values.objects, values.experiments, values.rounds].map(Number) as [
  number,
  number,
  number,
]

interface Listed extends Program {
  /** How many objects its output speaks of. */
  counted(output: string): number
}

const lines = (output: string): number => output.split('\n').filter((line) => line !== '').length

const programs = async (server: { endpoint: string; env: Record<string, string> }, bucket: string, home: string) => {
  const doctor: Listed = {
    command: [
      process.execPath,
      join(import.meta.dirname, '../src/bin.js'),
      ...['scan', `s3://${bucket}`, '--depth', 'sizes', '--json'],
    ],
    env: { ...server.env, HOME: home, XDG_CACHE_HOME: join(home, 'cache'), XDG_STATE_HOME: join(home, 'state') },
    // What cannot be seen of unfinished uploads or bucket settings is no matter here, and 1 is a finding of its own.
    good: [0, 1, 3],
    counted: (output) => (JSON.parse(output) as { covered: { objects: number } }).covered.objects,
  }
  if (values.alone) return { 'mlflow-doctor': doctor }
  const {
    AWS_ACCESS_KEY_ID: key = '',
    AWS_SECRET_ACCESS_KEY: secret = '',
    AWS_DEFAULT_REGION: region = '',
  } = server.env
  const fast: Listed = {
    command: [await s5cmd(), '--endpoint-url', server.endpoint, 'ls', `s3://${bucket}/*`],
    env: { ...server.env, AWS_REGION: region, HOME: home },
    good: [0],
    counted: lines,
  }
  const remote = {
    RCLONE_CONFIG_LAB_TYPE: 's3',
    RCLONE_CONFIG_LAB_PROVIDER: 'Other',
    RCLONE_CONFIG_LAB_ENDPOINT: server.endpoint,
    RCLONE_CONFIG_LAB_ACCESS_KEY_ID: key,
    RCLONE_CONFIG_LAB_SECRET_ACCESS_KEY: secret,
    RCLONE_CONFIG_LAB_REGION: region,
  }
  const broad: Listed = {
    command: [await rclone(), 'lsf', '-R', `lab:${bucket}`],
    env: { ...remote, RCLONE_CONFIG: '/dev/null', HOME: home },
    good: [0],
    counted: (output) => lines(output) - output.split('/\n').length + 1,
  }
  return { 'mlflow-doctor': doctor, s5cmd: fast, rclone: broad }
}

const table = (taken: ReadonlyMap<string, readonly Measured[]>): string => {
  const rate = (runs: readonly Measured[]) => objects / median(runs.map(({ cpu }) => cpu))
  const own = rate(taken.get('mlflow-doctor') ?? [])
  const rows = [...taken].map(([name, runs]) => {
    const seconds = runs.map(({ cpu }) => cpu.toFixed(2)).join(', ')
    const peak = bytes(Math.max(...runs.map(({ rss }) => rss)))
    const wall = median(runs.map(({ wall }) => wall)).toFixed(1)
    return `| ${name} | ${seconds} | ${Math.round(rate(runs))} | ${(own / rate(runs)).toFixed(2)} | ${peak} | ${wall} |`
  })
  return [
    '| tool | CPU s | objects per CPU s | mlflow-doctor / it | peak RSS | wall s |',
    '| --- | --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n')
}

const home = await freshDir('bench-home')
const server = await startVersitygw()
try {
  const bucket = await server.bucket()
  console.log(`${objects} objects of ${experiments} experiments go into ${join(server.data, bucket)}`)
  const fill = [join(import.meta.dirname, 'fill.py'), join(server.data, bucket), `${objects}`, `${experiments}`]
  execFileSync('python3', fill)
  await mkdir(join(home, 'state'))
  const tools = Object.entries<Listed>(await programs(server, bucket, home))
  const taken = new Map<string, Measured[]>(tools.map(([name]) => [name, []]))
  // The round before the first warms the disk, and the cache of compiled code that a first run leaves.
  for (let round = 0; round <= rounds; round++) {
    for (const [name, program] of tools) {
      const took = await measured(program)
      const counted = program.counted(took.output)
      if (counted !== objects) throw new Error(`${name} speaks of ${counted} objects, not of ${objects}`)
      console.log(`round ${round}: ${name} ${took.cpu.toFixed(2)} CPU s, ${took.wall.toFixed(1)} s, ${bytes(took.rss)}`)
      if (round > 0) taken.get(name)?.push(took)
    }
  }
  console.log(`\n${table(taken)}`)
} finally {
  await server.stop()
  await removeDir(home)
}
