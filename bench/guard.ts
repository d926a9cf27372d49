import { spawn } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freshDir, removeDir } from '../test/lab/scratch.ts'
import { median } from './measured.ts'

/**
 * `npm run bench:guard`: what guard costs the command that it runs: one that writes models of MODELS (20) × MIB (128) to
 * its temp folder, works on each, and removes it, as a training does. The command's own time, alone and under guard, ROUNDS
 * (5) times in turn; what guard does before and after is told apart. Fails on no figure.
 */

const rounds = Number(process.env.ROUNDS ?? 5)
const models = Number(process.env.MODELS ?? 20)
const mib = Number(process.env.MIB ?? 128)

const bin = fileURLToPath(new URL('../src/bin.js', import.meta.url))

const training = `
import hashlib, os, shutil, tempfile, time
block = os.urandom(1 << 20)
start, cpu = time.perf_counter(), time.process_time()
for n in range(${models}):
    folder = os.path.join(tempfile.mkdtemp(), "model")
    os.makedirs(os.path.join(folder, "artifacts"))
    with open(os.path.join(folder, "artifacts", "data.bin"), "wb") as data:
        for _ in range(${mib}):
            data.write(block)
    for small in range(200):
        with open(os.path.join(folder, f"f{small}"), "w") as file:
            file.write("x")
    with open(os.path.join(folder, "MLmodel"), "w") as file:
        file.write("flavors: {}\\n")
    for _ in range(${mib}):
        hashlib.sha256(block)
    shutil.rmtree(os.path.dirname(folder))
print(time.perf_counter() - start, time.process_time() - cpu)
`

interface Took {
  /** Seconds, by the command's own clock. */
  readonly wall: number
  readonly cpu: number
  /** Seconds from outside, with all that guard does before and after. */
  readonly whole: number
}

const run = async (guarded: boolean): Promise<Took> => {
  const home = await freshDir('bench-guard')
  const script = join(home, 'training.py')
  await writeFile(script, training)
  await mkdir(join(home, 'runs'))
  const command = ['python3', script]
  const [program = '', ...args] = guarded
    ? [process.execPath, bin, 'guard', '--quiet', '--no-repair', '--output', join(home, 'report'), '--', ...command]
    : command
  const begun = performance.now()
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { PATH: process.env.PATH, HOME: home, TMPDIR: home, MLFLOW_TRACKING_URI: join(home, 'runs') },
  })
  let said = ''
  child.stdout.on('data', (data: Buffer) => {
    said += data.toString()
  })
  await new Promise((done) => child.on('exit', done))
  const whole = (performance.now() - begun) / 1000
  await removeDir(home)
  const [wall = Number.NaN, cpu = Number.NaN] = said.split(/\s+/).map(Number)
  return { wall, cpu, whole }
}

const alone: Took[] = []
const under: Took[] = []
for (let round = 0; round < rounds; round += 1) {
  alone.push(await run(false))
  under.push(await run(true))
}
const of = (runs: readonly Took[], what: keyof Took) => median(runs.map((each) => each[what]))
console.log(`${models} models of ${mib} MiB and 200 small files each, median of ${rounds} rounds`)
console.log('| | wall s | CPU s | with what comes before and after, s |\n| --- | --- | --- | --- |')
for (const [name, runs] of [
  ['alone', alone],
  ['under guard', under],
] as const) {
  console.log(
    `| ${name} | ${of(runs, 'wall').toFixed(2)} | ${of(runs, 'cpu').toFixed(2)} | ${of(runs, 'whole').toFixed(2)} |`,
  )
}
console.log(
  `| ratio | ${(of(under, 'wall') / of(alone, 'wall')).toFixed(3)} | ${(of(under, 'cpu') / of(alone, 'cpu')).toFixed(3)} | |`,
)
