import { mkdir, readdir, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { freshDir, removeDir } from '../test/lab/scratch.ts'
import { mlflowPython } from '../test/lab/venv.ts'
import { build } from '../test/packages/built.ts'
import { type Measured, measured, median } from './measured.ts'

/**
 * `npm run bench:startup`: what starting costs, with the bundle that is published, beside bare Node and `mlflow doctor`, each
 * ROUNDS (9) times in turn. The compile cache is warm, as from the second run on; the first one is told apart. `check` looks at
 * a local store, a sqlite file and a folder; what it waits for the training's Python is told apart, since that is Python's own
 * start. Fails on no figure.
 */

const rounds = Number(process.env.ROUNDS ?? 9)

const dir = await freshDir('startup')
try {
  const { npm } = await build(dir)
  const bin = join(npm, 'lib/bin.js')
  const python = await mlflowPython()
  const home = join(dir, 'home')
  await mkdir(home)
  const env = { HOME: home, PATH: process.env.PATH ?? '', TMPDIR: dir, VIRTUAL_ENV: dirname(dirname(python)) }
  const node = process.execPath
  await measured({ command: [node, bin, 'demo'], env, good: [0] })
  const demo = (await readdir(dir)).find((name) => name.startsWith('mlflow-doctor-demo-')) ?? ''
  const store = `sqlite:///${join(dir, demo, 'mlflow.db')}`
  const check = [node, bin, 'check', '--tracking-uri', store, '--experiment', 'demo', '--json']
  const programs = {
    'bare node': [node, '-e', '0'],
    'mlflow-doctor --version': [node, bin, '--version'],
    'mlflow-doctor list': [node, bin, 'list'],
    'mlflow-doctor check': check,
    "the training's python": [python, '-c', '0'],
    'mlflow --version': [join(dirname(python), 'mlflow'), '--version'],
    'mlflow doctor': [join(dirname(python), 'mlflow'), 'doctor'],
  } as const
  const took = new Map<string, Measured[]>()
  const once = async (name: keyof typeof programs) => {
    const one = await measured({ command: programs[name], env, good: [0] })
    took.set(name, [...(took.get(name) ?? []), one])
  }
  await rm(join(home, '.cache'), { recursive: true, force: true })
  const [first, cold] = [
    await measured({ command: programs['mlflow-doctor --version'], env, good: [0] }),
    await measured({ command: check, env, good: [0] }),
  ]
  const names = Object.keys(programs) as (keyof typeof programs)[]
  for (let round = 0; round < rounds; round += 1) for (const name of names) await once(name)
  const wall = (name: keyof typeof programs) => median((took.get(name) ?? []).map((one) => one.wall * 1000))
  const bare = wall('bare node')
  console.log(
    `${'program'.padEnd(26)}${'median ms'.padStart(10)}${'CPU ms'.padStart(8)}${'times bare node'.padStart(17)}`,
  )
  for (const name of names) {
    const cpu = median((took.get(name) ?? []).map((one) => one.cpu * 1000))
    console.log(
      `${name.padEnd(26)}${wall(name).toFixed(0).padStart(10)}${cpu.toFixed(0).padStart(8)}${(wall(name) / bare).toFixed(2).padStart(17)}`,
    )
  }
  const own = wall('mlflow-doctor check') - bare
  console.log(
    `\nthe first run, with nothing compiled: --version ${(first.wall * 1000).toFixed(0)} ms, check ${(cold.wall * 1000).toFixed(0)} ms`,
  )
  console.log(`--version: ${(wall('mlflow-doctor --version') / bare).toFixed(2)} times bare node (aim: 2)`)
  console.log(
    `check of its own, above bare node: ${own.toFixed(0)} ms (aim: 300), of which it waits up to ${wall("the training's python").toFixed(0)} ms for the training's Python`,
  )
  console.log(
    `check in ${(wall('mlflow doctor') / wall('mlflow-doctor check')).toFixed(1)} times less time than mlflow doctor takes to print versions`,
  )
} finally {
  await removeDir(dir)
}
