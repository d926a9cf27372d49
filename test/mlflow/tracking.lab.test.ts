import { execFileSync } from 'node:child_process'
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseModelFile } from '../../src/mlflow/mlmodel.ts'
import { resolveRoute } from '../../src/mlflow/route.ts'
import { openServer, type TrackingServer } from '../../src/mlflow/server.ts'
import { readSettings } from '../../src/mlflow/settings.ts'
import { destination, parseTarget, resolveTargets } from '../../src/mlflow/target.ts'
import { openTracking } from '../../src/mlflow/tracking.ts'
import type { ModelVersion, Tracking } from '../../src/mlflow/types.ts'
import { eventsOf, LOGIN, python, scratch, startMlflow, startNginx } from '../lab/index.ts'

/** What entities.py logged. */
interface Logged {
  readonly run: string
  readonly child: string
  readonly experiment: string
  readonly runUri: string
  readonly ready: string
  readonly pending: string
  readonly outside: string
}
const login = { MLFLOW_TRACKING_USERNAME: LOGIN.username, MLFLOW_TRACKING_PASSWORD: LOGIN.password }
const settingsFor = (uri: string, more: Record<string, string> = {}, cwd = '/') =>
  readSettings({ env: { MLFLOW_TRACKING_URI: uri, ...more }, cwd, home: '/nonexistent' })
const logOneOfEach = async (env: Record<string, string>, version?: '2.22.1'): Promise<Logged> => {
  const result = await python('../../mlflow/python/entities.py', { env, ...(version && { version }) })
  const [logged] = eventsOf(result)
  if (result.code !== 0 || logged === undefined) throw new Error(result.stderr)
  return logged as unknown as Logged
}
const namesOf = async (tracking: Tracking, target: string): Promise<string[]> =>
  (await Array.fromAsync(resolveTargets(parseTarget(target), tracking))).map((one) => one.name)

interface Case {
  readonly tracking: Tracking
  readonly logged: Logged
  readonly settings: ReturnType<typeof settingsFor>
}

/** What any tracking store says of the same entities. */
const contract = (given: () => Case): void => {
  test('the experiment by name and by id; a deleted one is not listed', async () => {
    const { tracking, logged } = given()
    const byName = await tracking.experiment({ name: 'one of each' })
    expect(byName).toEqual(await tracking.experiment({ id: logged.experiment }))
    expect(byName).toMatchObject({ experimentId: logged.experiment, lifecycle: 'active' })
    const all = await Array.fromAsync(tracking.experiments())
    expect(all.map((one) => one.name).sort()).toEqual(['Default', 'one of each'])
  })
  test('the run, alone and in its experiment', async () => {
    const { tracking, logged } = given()
    const run = await tracking.run(logged.run)
    expect(run).toMatchObject({
      runId: logged.run,
      status: 'FINISHED',
      artifactUri: logged.runUri,
      lifecycle: 'active',
    })
    expect(run.endedAt).toBeGreaterThanOrEqual(run.startedAt ?? Number.POSITIVE_INFINITY)
    const child = await tracking.run(logged.child)
    const all = await Array.fromAsync(tracking.runs(logged.experiment))
    expect(all.toSorted((a, b) => (a.startedAt ?? 0) - (b.startedAt ?? 0))).toEqual([run, child])
  })
  test('what was logged to the run, and its children', async () => {
    const { tracking, logged } = given()
    const run = await tracking.run(logged.run)
    const { outputs, ...record } = await tracking.record(run)
    expect(record).toEqual({ lastMetricAt: 1_700_000_100_000, modelFolders: [] })
    expect(outputs).toEqual([logged.ready])
    const child = await tracking.run(logged.child)
    expect(await Array.fromAsync(tracking.children(run))).toEqual([child])
    expect(await Array.fromAsync(tracking.children(child))).toEqual([])
    expect(await tracking.record(child)).toEqual({ outputs: [], modelFolders: [] })
  })
  test('the registered versions: all, those of the run and those of a model', async () => {
    const { tracking, logged } = given()
    const named = (versions: readonly ModelVersion[]) =>
      versions.map(({ name, version }) => `${name}/${version}`).sort()
    const all = await Array.fromAsync(tracking.versions())
    expect(named(all)).toEqual(['registered one/1', 'registered one/2'])
    for (const one of all) {
      expect(one).toMatchObject({ status: 'READY', runId: logged.run })
      expect(one.createdAt).toBeGreaterThan(Date.now() - 3_600_000)
      expect(one.updatedAt).toBeGreaterThanOrEqual(one.createdAt ?? Number.POSITIVE_INFINITY)
    }
    expect(named(await Array.fromAsync(tracking.versionsOf({ runId: logged.run })))).toEqual(named(all))
    expect(named(await Array.fromAsync(tracking.versionsOf({ modelId: logged.ready })))).toEqual(['registered one/1'])
    expect(await Array.fromAsync(tracking.versionsOf({ modelId: logged.pending }))).toEqual([])
  })
  test('the logged models, PENDING ones and one of no run included', async () => {
    const { tracking, logged } = given()
    const { experiment: experimentId, run: runId } = logged
    const ofRun = await Array.fromAsync(tracking.models({ experimentId, runId }))
    expect(ofRun.map((one) => [one.modelId, one.status, one.name]).sort()).toEqual(
      [
        [logged.ready, 'READY', 'finished'],
        [logged.pending, 'PENDING', 'unfinished'],
      ].sort(),
    )
    for (const one of ofRun) {
      expect(one).toEqual(await tracking.model(one.modelId))
      expect(one).toMatchObject({ experimentId, sourceRunId: runId })
      expect(one.createdAt).toBeGreaterThan(Date.now() - 3_600_000)
    }
    const all = await Array.fromAsync(tracking.models({ experimentId }))
    expect(all.map((one) => one.modelId).sort()).toEqual([logged.ready, logged.pending, logged.outside].sort())
  })
  test('targets: run, experiment, version by number, alias and latest, model by its name in the run', async () => {
    const { tracking, logged } = given()
    const [run, ready, pending] = [`runs:/${logged.run}`, `models:/${logged.ready}`, `models:/${logged.pending}`]
    const ofRun = await namesOf(tracking, logged.run)
    expect(ofRun[0]).toBe(run)
    expect(ofRun.toSorted()).toEqual([run, ready, pending].sort())
    expect(await namesOf(tracking, `${run}/finished`)).toEqual([ready])
    expect(await namesOf(tracking, 'models:/registered one/1')).toEqual([ready])
    expect(await namesOf(tracking, 'models:/registered one@champion')).toEqual([ready])
    expect(await namesOf(tracking, 'models:/registered one/latest')).toEqual([`${run}/plain`])
    const whole = resolveTargets({ kind: 'experiment', by: { name: 'one of each' } }, tracking)
    const names = (await Array.fromAsync(whole)).map((one) => one.name)
    expect(names.toSorted()).toEqual([run, `runs:/${logged.child}`, ready, pending, `models:/${logged.outside}`].sort())
  })
  test.each([
    'runs:/0123456789abcdef0123456789abcdef',
    'models:/m-0123456789abcdef0123456789abcdef',
    'models:/registered one/9',
    'models:/registered one@nobody',
    'models:/nobody/1',
    'models:/nobody/latest',
  ])('%s is not found', async (target) => {
    await expect(namesOf(given().tracking, target)).rejects.toMatchObject({ kind: 'not-found' })
  })
  test('an experiment that is not there is not found, and shows where it would be put', async () => {
    const { tracking, settings } = given()
    await expect(tracking.experiment({ id: '987654' })).rejects.toMatchObject({ kind: 'not-found' })
    await expect(tracking.experiment({ name: 'x' })).rejects.toMatchObject({ kind: 'not-found' })
    const there = await destination({ ...settings, experiment: { name: 'x' } }, tracking)
    expect(there.artifactUri).toBe((await tracking.experiment({ id: '0' })).artifactLocation)
    expect(there.assumed).toContain('does not exist yet')
  })
  test('READY is set on the one model, and on nothing else', async () => {
    const { tracking, logged } = given()
    const before = [
      await tracking.model(logged.outside),
      await tracking.run(logged.run),
      await tracking.model(logged.ready),
    ]
    const pending = await tracking.model(logged.pending)
    await tracking.setModelReady(logged.pending)
    const { updatedAt, ...after } = await tracking.model(logged.pending)
    expect(after).toEqual({ ...pending, status: 'READY', updatedAt: undefined })
    expect(updatedAt).toBeGreaterThanOrEqual(pending.updatedAt ?? 0)
    expect([
      await tracking.model(logged.outside),
      await tracking.run(logged.run),
      await tracking.model(logged.ready),
    ]).toEqual(before)
    await expect(tracking.setModelReady('m-0123456789abcdef0123456789abcdef')).rejects.toMatchObject({
      kind: 'not-found',
    })
  })
}

describe('MLflow 3.17.2 under uvicorn', () => {
  let mlflow: Awaited<ReturnType<typeof startMlflow>>
  let server: TrackingServer
  let logged: Logged
  beforeAll(async () => {
    mlflow = await startMlflow()
    logged = await logOneOfEach({ MLFLOW_TRACKING_URI: mlflow.url })
    server = await openServer(settingsFor(mlflow.url))
  })
  afterAll(async () => {
    server?.close()
    await mlflow?.stop()
  })
  contract(() => ({ tracking: server, logged, settings: server.settings }))

  test('what it says of itself', () => {
    expect(server.info).toEqual({
      version: '3.17.2',
      software: 'uvicorn',
      multipartUploads: false,
      multipartDownloads: false,
    })
  })
  test('the route to a folder behind the server', async () => {
    const route = await resolveRoute(await destination(server.settings, server), server.settings, server)
    expect(route).toMatchObject({ proxied: true, multipart: false, firstHop: mlflow.url, credentials: 'the server' })
  })
  test('the MLmodel that a real client logged', async () => {
    const path = `${logged.experiment}/models/${logged.ready}/artifacts/MLmodel`
    const model = parseModelFile(await readFile(join(mlflow.destination, path), 'utf8'))
    expect(model).toMatchObject({
      modelId: logged.ready,
      runId: logged.run,
      mlflowVersion: '3.17.2',
      codeUncounted: true,
    })
  })
  test('more runs than one page holds', async () => {
    const made = await server.call<{ experiment_id: string }>('POST', '/api/2.0/mlflow/experiments/create', {
      json: { name: 'many' },
    })
    const json = { experiment_id: made.experiment_id }
    for (let i = 0; i < 205; i += 1) await server.call('POST', '/api/2.0/mlflow/runs/create', { json })
    const runs = await Array.fromAsync(server.runs(made.experiment_id))
    expect(new Set(runs.map((one) => one.runId)).size).toBe(205)
    expect(runs).toHaveLength(205)
    await server.call('POST', '/api/2.0/mlflow/experiments/delete', { json })
  })
  test('a host name that the server does not know is refused, with the flag to set', async () => {
    const nginx = await startNginx({ upstream: mlflow.url, location: 'proxy_set_header Host mlflow.example;' })
    await expect(openServer(settingsFor(nginx.url))).rejects.toMatchObject({
      kind: 'denied',
      todo: expect.stringContaining('--allowed-hosts'),
    })
    await nginx.stop()
  })
  test('the login page of a proxy is not taken for MLflow, and gets no login', async () => {
    const nginx = await startNginx({ upstream: mlflow.url, location: 'return 302 https://sso.invalid/login;' })
    const opening = openServer(settingsFor(nginx.url, login))
    await expect(opening).rejects.toMatchObject({
      kind: 'unexpected-answer',
      why: expect.stringContaining('https://sso.invalid'),
    })
    await nginx.stop()
  })
  test('a certificate that nobody knows: the variable is named; with it, or with none checked, it works', async () => {
    const nginx = await startNginx({ upstream: mlflow.url, tls: true })
    await expect(openServer(settingsFor(nginx.url))).rejects.toMatchObject({
      kind: 'unreachable',
      todo: expect.stringContaining('MLFLOW_TRACKING_SERVER_CERT_PATH'),
    })
    for (const env of [
      { MLFLOW_TRACKING_SERVER_CERT_PATH: nginx.caFile ?? '' },
      { MLFLOW_TRACKING_INSECURE_TLS: 'true' },
    ]) {
      const opened = await openServer(settingsFor(nginx.url, env))
      expect(opened.info.version).toBe('3.17.2')
      opened.close()
    }
    await nginx.stop()
  })
})

describe('MLflow 3.17.2 with basic auth', () => {
  let mlflow: Awaited<ReturnType<typeof startMlflow>>
  beforeAll(async () => {
    mlflow = await startMlflow({ auth: true })
  })
  afterAll(() => mlflow?.stop())

  test('without a login, and with a wrong one', async () => {
    for (const env of [{}, { ...login, MLFLOW_TRACKING_PASSWORD: 'wrong-one' }]) {
      const error = await openServer(settingsFor(mlflow.url, env)).catch((reason: unknown) => reason)
      expect(error).toMatchObject({ kind: 'unauthenticated', status: 401 })
      expect(String(error)).not.toContain('wrong-one')
    }
  })
  test('with a login in the variables or in the URI', async () => {
    const inUri = mlflow.url.replace('://', `://${LOGIN.username}:${encodeURIComponent(LOGIN.password)}@`)
    for (const settings of [settingsFor(mlflow.url, login), settingsFor(inUri)]) {
      const server = await openServer(settings)
      expect((await server.experiment({ id: '0' })).name).toBe('Default')
      expect(server.uri).toBe(mlflow.url)
      server.close()
    }
  })
})

describe('MLflow 3.17.2 under a prefix', () => {
  test('the path of the tracking URI is kept', async () => {
    const mlflow = await startMlflow({ args: ['--static-prefix', '/team'] })
    const server = await openServer(settingsFor(`${mlflow.url}/team/`))
    expect(server.info.version).toBe('3.17.2')
    expect((await server.experiment({ id: '0' })).name).toBe('Default')
    server.close()
    await expect(openServer(settingsFor(`${mlflow.url}/other`))).rejects.toMatchObject({ kind: 'unsupported' })
    await mlflow.stop()
  })
})

describe('MLflow 2.22.1', () => {
  test('has no logged models, which is no error', async () => {
    const mlflow = await startMlflow({ version: '2.22.1' })
    const logged = await logOneOfEach({ MLFLOW_TRACKING_URI: mlflow.url }, '2.22.1')
    const server = await openServer(settingsFor(mlflow.url))
    expect(server.info).toEqual({ version: '2.22.1', software: 'gunicorn' })
    expect(await Array.fromAsync(server.models({ experimentId: logged.experiment, runId: logged.run }))).toEqual([])
    expect(await Array.fromAsync(server.models({ experimentId: logged.experiment }))).toEqual([])
    expect(await namesOf(server, logged.run)).toEqual([`runs:/${logged.run}`])
    expect(await namesOf(server, 'models:/registered one/1')).toHaveLength(1)
    const run = await server.run(logged.run)
    expect(await server.record(run)).toEqual({
      lastMetricAt: 1_700_000_100_000,
      outputs: [],
      modelFolders: ['finished'],
    })
    expect(await Array.fromAsync(server.children(run))).toMatchObject([{ runId: logged.child }])
    expect(await Array.fromAsync(server.versionsOf({ runId: logged.run }))).toHaveLength(2)
    expect(await Array.fromAsync(server.versions())).toHaveLength(2)
    await expect(server.run('0123456789abcdef0123456789abcdef')).rejects.toMatchObject({ kind: 'not-found' })
    server.close()
    await mlflow.stop()
  })
})

describe('a database that MLflow 3.17.2 wrote', () => {
  let dir = ''
  let file = ''
  let logged: Logged
  let tracking: Tracking
  const copy = async (name: string): Promise<Tracking> => {
    await cp(file, join(dir, name))
    return openTracking(settingsFor(`sqlite:///${dir}/${name}`))
  }
  beforeAll(async () => {
    dir = await scratch()
    file = join(dir, 'mlflow.db')
    logged = await logOneOfEach({ MLFLOW_TRACKING_URI: `sqlite:///${file}` })
    tracking = await openTracking(settingsFor(`sqlite:///${file}`))
  })
  contract(() => ({ tracking, logged, settings: settingsFor(`sqlite:///${file}`) }))

  test('MLflow still reads the database after READY was set', async () => {
    const changed = await copy('again.db')
    await changed.setModelReady(logged.outside)
    const db = new DatabaseSync(join(dir, 'again.db'))
    expect(db.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' })
    db.close()
    const server = await startMlflow({ args: ['--backend-store-uri', `sqlite:///${dir}/again.db`] })
    const opened = await openServer(settingsFor(server.url))
    expect((await opened.model(logged.outside)).status).toBe('READY')
    opened.close()
    await server.stop()
  })
  test('a locked database stops it, and nothing is changed', async () => {
    const locked = await copy('locked.db')
    const db = new DatabaseSync(join(dir, 'locked.db'))
    db.exec('BEGIN IMMEDIATE')
    await expect(locked.setModelReady(logged.outside)).rejects.toMatchObject({ kind: 'conflict' })
    db.exec('ROLLBACK')
    db.close()
    expect((await locked.model(logged.outside)).status).toBe('PENDING')
  })
  test('a schema revision that is not known stops it', async () => {
    const future = await copy('future.db')
    const db = new DatabaseSync(join(dir, 'future.db'))
    db.exec("UPDATE alembic_version SET version_num = 'ffffffffffff'")
    db.close()
    await expect(future.setModelReady(logged.outside)).rejects.toMatchObject({
      kind: 'unsupported',
      why: expect.stringContaining('ffffffffffff'),
    })
    expect((await future.model(logged.outside)).status).toBe('PENDING')
  })
  test('a file that is gone, is no database, or is not of MLflow', async () => {
    const open = (path: string) => openTracking(settingsFor(`sqlite:///${dir}/${path}`))
    await expect(open('none.db')).rejects.toMatchObject({ kind: 'not-found' })
    await writeFile(join(dir, 'text.db'), 'this is not a database, but long enough to be one '.repeat(99))
    await expect(open('text.db')).rejects.toMatchObject({ kind: 'unexpected-answer' })
    const other = new DatabaseSync(join(dir, 'other.db'))
    other.exec('CREATE TABLE t (a)')
    other.close()
    await expect(open('other.db')).rejects.toMatchObject({ kind: 'unsupported' })
    expect((await readdir(dir)).sort()).not.toContain('none.db')
  })
  test('reading leaves neither a journal nor a warning behind', () => {
    const source = pathToFileURL(join(import.meta.dirname, '../../src/mlflow/sqlite.ts')).href
    const script = `const { openSqlite } = await import('${source}'); await openSqlite('sqlite:///${file}'); process.emitWarning('another one')`
    const node = join(import.meta.dirname, '../../node_modules/.bin/node')
    const stderr = execFileSync('sh', ['-c', '"$0" --input-type=module -e "$1" 2>&1', node, script], {
      encoding: 'utf8',
    })
    expect(stderr).not.toContain('SQLite')
    expect(stderr).toContain('another one')
  })
})

describe('a folder that MLflow 3.17.2 wrote', () => {
  let root = ''
  let logged: Logged
  let tracking: Tracking
  const metaFile = () => join(root, logged.experiment, 'models', logged.outside, 'meta.yaml')
  beforeAll(async () => {
    root = join(await scratch(), 'mlruns')
    logged = await logOneOfEach({ MLFLOW_TRACKING_URI: root, MLFLOW_ALLOW_FILE_STORE: 'true' })
    tracking = await openTracking(settingsFor(root))
  })
  contract(() => ({ tracking, logged, settings: settingsFor(root) }))

  test('READY changes two lines of one file, byte for byte', async () => {
    const before = await readFile(metaFile(), 'utf8')
    await tracking.setModelReady(logged.outside)
    const after = await readFile(metaFile(), 'utf8')
    const changed = before
      .split('\n')
      .flatMap((line, i) => (line === after.split('\n')[i] ? [] : [line.replace(/\d+/, 'N')]))
    expect(changed).toEqual(['last_updated_timestamp: N', 'status: N'])
    expect(await readdir(join(metaFile(), '..'))).not.toContainEqual(expect.stringMatching(/^\.meta/))
    await writeFile(metaFile(), before)
  })
  test('a meta.yaml that is not as MLflow writes it is left alone', async () => {
    const before = await readFile(metaFile(), 'utf8')
    for (const odd of [before.replace('status: 1', 'status: "1"'), `${before}status: 1\n`]) {
      await writeFile(metaFile(), odd)
      await expect(tracking.setModelReady(logged.outside)).rejects.toMatchObject({ kind: 'unsupported' })
      expect(await readFile(metaFile(), 'utf8')).toBe(odd)
    }
    for (const broken of ['a: [', '!!python/object:os.system {}', `a: ${'x'.repeat(70_000)}`]) {
      await writeFile(metaFile(), broken)
      await expect(tracking.model(logged.outside)).rejects.toMatchObject({ kind: 'unexpected-answer' })
    }
    await writeFile(metaFile(), before)
  })
  test('a folder that is gone', async () => {
    await expect(openTracking(settingsFor(`file://${root}-none`))).rejects.toMatchObject({ kind: 'not-found' })
  })
})

describe('what MLflow takes when nothing is set', () => {
  test('the same database as MLflow 3.17.2, in a folder with a space', async () => {
    const dir = join(await scratch(), 'a b')
    await mkdir(dir)
    const result = await python('../../mlflow/python/default_uri.py', { args: [dir] })
    const [first, second] = eventsOf(result)
    expect(first).toMatchObject({ uri: expect.stringMatching(/^sqlite:/) })
    expect(await readdir(dir)).toContain('mlflow.db')
    const tracking = await openTracking(readSettings({ env: {}, cwd: dir, home: '/nonexistent' }))
    expect((await tracking.experiment({ name: 'made by MLflow' })).lifecycle).toBe('active')
    // With an experiment in mlruns, MLflow goes back to the folder.
    const folder = readSettings({ env: {}, cwd: join(dir, 'old'), home: '/nonexistent' })
    expect(second).toMatchObject({ uri: folder.trackingUri })
    expect(folder.trackingKind).toBe('folder')
  })
})
