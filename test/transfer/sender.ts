/**
 * A process that sends one file with the engine, to be killed. Reads its orders from the first argument, as JSON, and
 * writes one JSON line for each event. With `dieAt` it kills itself with SIGKILL at that very step.
 */
import { writeSync } from 'node:fs'
import { Trouble } from '../../src/errors.ts'
import { readSettings } from '../../src/mlflow/settings.ts'
import { folderStore } from '../../src/stores/folder.ts'
import { parseS3Uri, s3Store } from '../../src/stores/s3.ts'
import { connectS3 } from '../../src/stores/s3-client.ts'
import type { OpenUpload, Store } from '../../src/stores/store.ts'
import { transferFile } from '../../src/transfer/engine.ts'
import type { Moment, Orders } from './sending.ts'

const orders = JSON.parse(process.argv[2] ?? '{}') as Orders
const tell = (event: object): void => void writeSync(1, `${JSON.stringify(event)}\n`)

const die = (moment: Moment): void => {
  if (orders.dieAt === moment) process.kill(process.pid, 'SIGKILL')
}

const mortal = (upload: OpenUpload): OpenUpload => ({
  ...upload,
  async send(number, ...rest) {
    if (number === 3) die('before part 3')
    const part = await upload.send(number, ...rest)
    if (number === 3) die('after part 3')
    return part
  },
  async complete(...args) {
    die('before complete')
    await upload.complete(...args)
    die('after complete')
  },
})

const open = async (): Promise<Store> => {
  if (!orders.to.startsWith('s3://')) return folderStore(orders.to, 'test')
  const settings = readSettings({ env: process.env, cwd: '/', home: '/nonexistent' })
  return s3Store(await connectS3(settings), parseS3Uri(orders.to), settings, 'test')
}

const inner = await open()
const store: Store = {
  ...inner,
  limits: orders.partSize === undefined ? inner.limits : { ...inner.limits, alignment: orders.partSize },
  async openUpload(...args) {
    die('before create')
    const upload = await inner.openUpload(...args)
    die('after create')
    return mortal(upload)
  },
  async resumeUpload(...args) {
    const upload = await inner.resumeUpload(...args)
    return upload === undefined ? undefined : mortal(upload)
  },
  async proof(...args) {
    const proof = await inner.proof(...args)
    if (proof !== undefined) die('after verification')
    return proof
  },
}

try {
  tell({ event: 'started' })
  const result = await transferFile({
    ...orders,
    store,
    adopt: true,
    settleMs: 0,
    ifAbsent: true,
    patience: { tries: 4, pauseMs: 50 },
    onProgress: ({ sent, reused }) => {
      if (sent >= 3 * (orders.partSize ?? 5 * 1024 ** 2)) die('after the journal of part 3')
      tell({ event: 'progress', sent, reused })
    },
  })
  tell({ event: 'done', ...result })
} catch (error) {
  if (!(error instanceof Trouble)) throw error
  tell({ event: 'trouble', kind: error.kind, message: error.message })
  process.exitCode = 1
} finally {
  await inner.close()
}
