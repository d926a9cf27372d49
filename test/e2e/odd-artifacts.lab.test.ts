/** Runs that are odd and healthy give no finding and the right counts; one damaged file among them is named exactly. */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { PutObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Report } from '../../src/report.ts'
import { examined } from '../doctor.ts'
import { s3Sdk, shared, startMlflow } from '../lab/index.ts'

/** An array of 8-byte floats as numpy.save writes it: its header tells how long the file is. */
const npy = (count: number): Buffer => {
  const header = Buffer.from(
    `{'descr': '<f8', 'fortran_order': False, 'shape': (${count},), }`.padEnd(117).concat('\n'),
  )
  const head = Buffer.concat([Buffer.from('\x93NUMPY\x01\x00', 'latin1'), Buffer.from([header.length, 0]), header])
  return Buffer.concat([head, Buffer.alloc(count * 8, 'not zero')])
}
const whole = npy(64)
const cut = whole.subarray(0, 500)

/** Names that every route carries. */
const names = [
  'plain.npy',
  'with  spaces .npy',
  'deep/er/and deeper/x.npy',
  '100%.npy',
  'ünï/cödé.npy',
  'decomposed e\u0301.npy',
  '日本語/モデル.npy',
  'emoji 🧪.npy',
  '.hidden.npy',
  '.git/objects/.npy',
  '..two-dots.npy',
  '...',
  'a+b.npy',
  'a?b.npy',
  'a&b=c;d.npy',
  'quote\'"`.npy',
  '[x]*{y}.npy',
  '~tilde.npy',
  '@at,$(shell).npy',
  '<angle>.npy',
  `${'long'.repeat(50)}.npy`,
]
/** Names that MLflow's server lists, and whose bytes it never gives out: it takes the escape for what it stands for, and refuses the sign. */
const beyondServer = ['a%20b.npy', '50%25off.npy', 'a#b.npy']
/** Files that are empty by right. */
const emptyNames = ['package/__init__.py', '_SUCCESS', 'notes #1.txt', 'a%20b.txt', '.gitkeep']

const many = 10_000

interface Deployment {
  readonly url: string
  readonly env: Record<string, string>
  /** The artifact location of its experiments; unless told, the server's own choice. */
  readonly location?: string
  /** Writes to the store itself. A path that ends in a slash is a folder: in S3 the empty object that consoles and some clients leave for one. */
  readonly put: (uri: string, path: string, bytes: Uint8Array) => Promise<unknown>
  readonly stop: () => Promise<void>
  /** Names whose bytes its server cannot give out, which no client of MLflow gets either. */
  readonly withheld?: readonly string[]
}

const toFolder =
  (destination: string): Deployment['put'] =>
  async (uri, path, bytes) => {
    const file = join(destination, uri.replace(/^mlflow-artifacts:\/*/, ''), path)
    await mkdir(path.endsWith('/') ? file : dirname(file), { recursive: true })
    if (!path.endsWith('/')) await writeFile(file, bytes)
  }

const toS3 = (destination: string): Deployment['put'] => {
  const sdk = s3Sdk(shared().seaweed)
  return async (uri, path, bytes) => {
    const { host, pathname } = new URL(uri.replace(/^mlflow-artifacts:/, destination))
    const Key = `${decodeURIComponent(pathname).slice(1)}/${path}`
    return sdk.send(new PutObjectCommand({ Bucket: host, Key, Body: bytes }))
  }
}

const nothing = async (): Promise<void> => {}

const deployments: Readonly<Record<string, () => Promise<Deployment>>> = {
  'MLflow 3.17.2 over a folder': async () => {
    const { url, destination } = shared().mlflowFolder
    return { url, env: { MLFLOW_TRACKING_URI: url }, put: toFolder(destination), stop: nothing }
  },
  'MLflow 3.17.2 over S3': async () => {
    const { url, destination } = shared().mlflowS3
    const env = { ...shared().seaweed.env, MLFLOW_TRACKING_URI: url }
    return { url, env, put: toS3(destination), stop: nothing }
  },
  'MLflow 2.22.1 over a folder': async () => {
    const server = await startMlflow({ version: '2.22.1' })
    const { url, destination, stop } = server
    // gunicorn breaks off where the name in its Content-Disposition is not Latin-1.
    const withheld = names.filter((path) => /[^\u0000-\u00ff]/.test(path))
    return { url, env: { MLFLOW_TRACKING_URI: url }, put: toFolder(destination), stop, withheld }
  },
  'MLflow 2.22.1, with S3 reached directly': async () => {
    const server = await startMlflow({ version: '2.22.1', env: shared().seaweed.env })
    const { url, stop } = server
    const env = { ...shared().seaweed.env, MLFLOW_TRACKING_URI: url }
    const location = `s3://${shared().mlflowS3.bucket}/odd`
    return { url, env, location, put: toS3(location), stop }
  },
}

describe.each(Object.keys(deployments))('%s', (name) => {
  let at: Deployment
  beforeAll(async () => {
    const made = await deployments[name]?.()
    if (made === undefined) throw new Error('no such deployment')
    at = made
  })
  afterAll(() => at.stop())

  const ask = async (call: string, body: object): Promise<Record<string, unknown>> => {
    const answer = await fetch(`${at.url}/api/2.0/mlflow/${call}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    expect(answer.status, call).toBe(200)
    return (await answer.json()) as Record<string, unknown>
  }
  let made = 0
  const experiment = async (): Promise<string> => {
    made += 1
    const { experiment_id } = await ask('experiments/create', {
      name: `odd ${made} ${name}`,
      ...(at.location === undefined ? {} : { artifact_location: `${at.location}/${made}` }),
    })
    return String(experiment_id)
  }
  const run = async (experiment_id: string) => {
    const { run } = (await ask('runs/create', { experiment_id, start_time: Date.now() })) as {
      run: { info: { run_id: string; artifact_uri: string } }
    }
    await ask('runs/update', { run_id: run.info.run_id, status: 'FINISHED', end_time: Date.now() })
    const { run_id, artifact_uri } = run.info
    return {
      id: run_id,
      target: `runs:/${run_id}`,
      put: (path: string, bytes: Uint8Array) => at.put(artifact_uri, path, bytes),
    }
  }
  const scan = (args: readonly string[]): Promise<Report> => examined(['scan', ...args], { env: at.env })
  const found = (report: Report): string[] =>
    report.checks.flatMap(({ id, findings }) => findings.map((one) => `${id} ${one.at}`))
  const expectHealthy = (report: Report, objects: number, withheld = 0): void => {
    expect(found(report), JSON.stringify(report, undefined, 1)).toEqual([])
    const refused = report.covered.gaps.filter(({ unexpected }) => unexpected)
    expect(
      refused.reduce((sum, { more = 0 }) => sum + 1 + more, 0),
      JSON.stringify(report.covered),
    ).toBe(withheld)
    expect(report.exitCode).toBe(withheld === 0 ? 0 : 3)
    expect(report.covered.objects).toBe(objects)
  }

  test('names of every kind', async () => {
    const { target, put } = await run(await experiment())
    for (const path of [...names, ...beyondServer]) await put(path, whole)
    for (const path of emptyNames) await put(path, Buffer.alloc(0))
    const healthy = await scan([target])
    const { withheld = [] } = at
    expectHealthy(healthy, names.length + beyondServer.length + emptyNames.length, withheld.length)
    expect(healthy.covered.bytes).toBe((names.length + beyondServer.length) * whole.length)
    for (const path of names) await put(path, cut)
    const damaged = await scan([target])
    const seen = names.filter((path) => !withheld.includes(path))
    expect(found(damaged).sort()).toEqual(seen.map((path) => `artifact/structure ${target}/${path}`).sort())
    expect(damaged.exitCode).toBe(withheld.length === 0 ? 1 : 3)
  })

  // Thousands of requests each: through a server, and to the store itself, one version of MLflow for each.
  if (['MLflow 3.17.2 over a folder', 'MLflow 2.22.1, with S3 reached directly'].includes(name)) {
    test(`${many} files in one folder`, async () => {
      const { target, put } = await run(await experiment())
      const files = Array.from({ length: many }, (_, n) => `images/${String(n).padStart(5, '0')}.npy`)
      const waiting = [...files]
      const work = async () => {
        for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) await put(path, whole)
      }
      await Promise.all(Array.from({ length: 16 }, work))
      await put('images/07777.npy', cut)
      const damaged = await scan([target])
      expect(found(damaged)).toEqual([`artifact/structure ${target}/images/07777.npy`])
      expect(damaged.exitCode).toBe(1)
      expect(damaged.covered.objects).toBe(many)
      // One request for each file, through a server with one worker.
    }, 900_000)
  }

  test('a run without artifacts, one with nothing but a folder, and a deleted one', async () => {
    const of = await experiment()
    const [empty, folder, deleted] = [await run(of), await run(of), await run(of)]
    await folder.put('plots/', Buffer.alloc(0))
    await deleted.put('x.npy', cut)
    await ask('runs/delete', { run_id: deleted.id })
    for (const { target } of [empty, folder]) expect(found(await scan([target]))).toEqual([])
    const all = await scan(['--experiment', of])
    expect(found(all), JSON.stringify(all, undefined, 1)).toEqual([])
    expect(all.exitCode).toBe(0)
    // Who names a deleted run wants it looked at: its artifacts stay until `mlflow gc`.
    const named = await scan([deleted.target])
    expect(found(named)).toEqual([`artifact/structure ${deleted.target}/x.npy`])
  })
})
