import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { DeleteObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { s3Env, s3Sdk } from '../test/lab/s3.ts'
import { freshDir, removeDir } from '../test/lab/scratch.ts'
import { startThrottle } from '../test/lab/throttle.ts'
import { benchPython, mlflowPython } from '../test/lab/venv.ts'
import { startVersitygw } from '../test/lab/versitygw.ts'
import { doctorUpload, mlflowUpload, rclone } from './tools.ts'

/**
 * `npm run bench:compare`: what people reach for today, in one run. First, one file of SIZE (256, MiB) is killed with -9 once
 * 60 % have left, and the same command is run again: how much does it send? Then a model folder is damaged in the store in
 * four ways: which of them does each tool tell, with the local folder at hand, and without it? Fails on no figure.
 */

const MiB = 1024 ** 2
const size = Number(process.env.SIZE ?? 256) * MiB
const bin = fileURLToPath(new URL('../src/bin.js', import.meta.url))

const home = await freshDir('compare')
const store = await startVersitygw()
const slow = await startThrottle({ upstream: store.endpoint, bytesPerSecond: 64 * MiB })
const [python, rc, mlflow] = [await benchPython(), await rclone(), await mlflowPython()]
const bucket = await store.bucket()
const sdk = s3Sdk(store)

const envFor = (endpoint: string) => ({
  ...{ HOME: home, PATH: process.env.PATH ?? '', XDG_STATE_HOME: join(home, 'state') },
  ...s3Env({ ...store, endpoint }),
  ...{ RCLONE_CONFIG_LAB_TYPE: 's3', RCLONE_CONFIG_LAB_PROVIDER: 'Other', RCLONE_CONFIG_LAB_ENV_AUTH: 'true' },
  ...{ RCLONE_CONFIG_LAB_ENDPOINT: endpoint, RCLONE_CONFIG_LAB_FORCE_PATH_STYLE: 'true' },
})
const aws = (endpoint: string, ...args: string[]) => [python, '-m', 'awscli', '--endpoint-url', endpoint, 's3', ...args]
const uploads: Readonly<Record<string, (dir: string, to: string) => readonly string[]>> = {
  'mlflow-doctor upload': (dir, to) => [...doctorUpload(dir, to), '--settle', '0'],
  'aws s3 cp': (dir, to) => aws(slow.url, 'cp', '--quiet', '--recursive', dir, `s3://${to}`),
  'rclone copy': (dir, to) => [rc, 'copy', dir, `lab:${to}`],
  'MLflow log_artifacts': (dir, to) => mlflowUpload(mlflow, dir, to),
}

interface Ended {
  readonly code: number | null
  readonly output: string
}

const start = ([program = '', ...args]: readonly string[], endpoint: string) => {
  const child = spawn(program, args, { cwd: home, env: envFor(endpoint), stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (data: Buffer) => {
      output += data
    })
  }
  const ended = new Promise<Ended>((done) => child.on('close', (code) => done({ code, output })))
  return { child, ended }
}

try {
  console.log(
    `| one file of ${size / MiB} MiB, killed with -9 at 60 % | sent before | sent by the same command, run again |\n| --- | --- | --- |`,
  )
  for (const [name, upload] of Object.entries(uploads)) {
    const dir = join(home, name.replaceAll(/\W/g, '-'))
    await mkdir(dir)
    await writeFile(join(dir, 'weights.bin'), randomBytes(size))
    const command = upload(dir, `${bucket}/${name.replaceAll(/\W/g, '-')}`)
    const from = slow.sent()
    const first = start(command, slow.url)
    while (slow.sent() - from < 0.6 * size) await wait(10)
    first.child.kill('SIGKILL')
    await first.ended
    await wait(1500)
    const cut = slow.sent()
    const { code, output } = await start(command, slow.url).ended
    if (code !== 0) throw new Error(`${name} ended with ${code}: ${output}`)
    const share = (bytes: number) => `${((bytes / size) * 100).toFixed(0)} %`
    console.log(`| ${name} | ${share(cut - from)} | ${share(slow.sent() - cut)} |`)
  }

  const model = join(home, 'model')
  await mkdir(model)
  const parquet = await readFile(join(import.meta.dirname, '../fixtures/formats/parquet/crc.parquet'))
  const files = {
    'gone.bin': randomBytes(MiB),
    'cut.parquet': parquet,
    'zeros.parquet': parquet,
    'other.bin': randomBytes(MiB),
  }
  for (const [name, data] of Object.entries(files)) await writeFile(join(model, name), data)
  const stored = Object.values(files).reduce((sum, { length }) => sum + length, 0)
  await writeFile(
    join(model, 'MLmodel'),
    `flavors:\n  python_function:\n    loader_module: x\n    data: gone.bin\nmodel_size_bytes: ${stored}\n`,
  )
  // aws compares times by the second: what is stored afterwards must be younger, as it is in life.
  await wait(1100)
  const to = `${bucket}/model`
  if (
    (await start(aws(store.endpoint, 'cp', '--quiet', '--recursive', model, `s3://${to}`), store.endpoint).ended)
      .code !== 0
  )
    throw new Error('the model was not stored')
  await sdk.send(new DeleteObjectCommand({ Bucket: bucket, Key: 'model/gone.bin' }))
  const put = (name: string, body: Buffer) =>
    sdk.send(new PutObjectCommand({ Bucket: bucket, Key: `model/${name}`, Body: body }))
  await put('cut.parquet', parquet.subarray(0, parquet.length / 2))
  await put('zeros.parquet', Buffer.concat([parquet.subarray(0, 4), Buffer.alloc(parquet.length - 4)]))
  await put('other.bin', randomBytes(MiB))
  await wait(1100)
  const looks: Readonly<Record<string, readonly string[]>> = {
    'mlflow-doctor scan --against': [process.execPath, bin, 'scan', `s3://${to}`, '--against', model, '--quiet'],
    'rclone check': [rc, 'check', model, `lab:${to}`],
    'aws s3 sync --dryrun': aws(store.endpoint, 'sync', '--dryrun', model, `s3://${to}`),
    'aws s3 sync --dryrun --size-only': aws(store.endpoint, 'sync', '--dryrun', '--size-only', model, `s3://${to}`),
    'mlflow-doctor scan, without the folder': [process.execPath, bin, 'scan', `s3://${to}`, '--quiet'],
    'mlflow doctor': [join(mlflow, '../mlflow'), 'doctor'],
  }
  console.log(
    '\n| tells | file gone | cut in half | zeros, same size | other bytes, same size | exit code |\n| --- | --- | --- | --- | --- | --- |',
  )
  for (const [name, command] of Object.entries(looks)) {
    const { code, output } = await start(command, store.endpoint).ended
    // Only lines that tell of trouble: a list of all files tells nothing.
    const lines = output
      .split('\n')
      .filter((line) => !/✔|Not known|: neither|content was not compared/.test(line))
      .join('\n')
    const cells = Object.keys(files).map((file) => (lines.includes(file) ? 'yes' : 'no'))
    console.log(`| ${name} | ${cells.join(' | ')} | ${code} |`)
  }
} finally {
  await slow.stop()
  await store.stop()
  await removeDir(home)
}
