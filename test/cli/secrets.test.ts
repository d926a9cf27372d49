import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { strFromU8, unzipSync } from 'fflate'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { formats } from '../../src/reporters/index.ts'
import { doctor } from '../doctor.ts'

/** Each planted where its name says; none may come out anywhere. */
const planted = {
  password: 'pl4nt3d-p@ss word',
  token: 'pl4nt3d.tok3n.value',
  uriPassword: 'pl4nt3d-in-the-uri',
  filePassword: 'pl4nt3d-in-the-file',
  secretKey: 'pl4nt3d/secret+access/key',
  signature: '0123pl4nt3dsignature4567',
  serverPassword: 'pl4nt3d-by-the-server',
  serverKey: 'pl4nt3dK3yOfTheServer',
  // A JSON Web Token that ended long ago.
  webToken: `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from('{"exp":1,"sub":"pl4nt3d"}').toString('base64url')}.pl4nt3d`,
  proxyPassword: 'pl4nt3d-in-the-proxy',
  misplaced: 'pl4nt3d-where-a-number-should-be',
} as const

/** What the client proved itself with, in the clear. */
const said = (authorization = ''): string =>
  authorization.startsWith('Basic ') ? Buffer.from(authorization.slice(6), 'base64').toString() : authorization

let server: Server
let address = ''
let home = ''

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'md-secrets-'))
  await mkdir(join(home, '.mlflow'))
  await writeFile(
    join(home, '.mlflow', 'credentials'),
    `[mlflow]\nmlflow_tracking_username = alice\nmlflow_tracking_password = ${planted.filePassword}\n`,
  )
  // A server made for this test that says back all it was told, in body, header and URL, and adds a signed URL of its own.
  server = createServer((request, response) => {
    response.writeHead(request.url?.includes('teapot') ? 418 : 400, {
      'content-type': 'application/json',
      server: `leaky ${request.headers.authorization ?? ''}`,
      'x-echo': request.headers.authorization ?? '',
      via: `1.1 ${said(request.headers.authorization)}`,
    })
    response.end(
      JSON.stringify({
        error_code: 'BAD_REQUEST',
        message: [
          `headers ${JSON.stringify(request.headers)}`,
          `tried password=${planted.serverPassword} and {"api_key": "${planted.serverKey}"}`,
          `you said ${said(request.headers.authorization)}`,
          `see https://bucket.s3.amazonaws.com/key?X-Amz-Credential=AKIAPLANTED&X-Amz-Signature=${planted.signature}`,
          `and http://bob:${planted.uriPassword}@other/`,
        ].join('; '),
      }),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  address = `127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(async () => {
  server.closeAllConnections()
  server.close()
  await rm(home, { recursive: true, force: true })
})

const none = (text: string) => {
  for (const secret of Object.values(planted)) {
    for (const form of [secret, encodeURIComponent(secret), Buffer.from(`alice:${secret}`).toString('base64')]) {
      expect(text).not.toContain(form)
    }
  }
  expect(text).not.toContain('AKIAPLANTED')
}

const places: [string, Record<string, string>][] = [
  ['the environment’s password', { MLFLOW_TRACKING_USERNAME: 'alice', MLFLOW_TRACKING_PASSWORD: planted.password }],
  ['the environment’s token', { MLFLOW_TRACKING_TOKEN: planted.token }],
  ['a token that tells its end', { MLFLOW_TRACKING_TOKEN: planted.webToken }],
  ['a proxy', { HTTP_PROXY: `http://alice:${planted.proxyPassword}@proxy.invalid:3128`, NO_PROXY: '127.0.0.1' }],
  [
    'variables that hold something else',
    { MLFLOW_HTTP_REQUEST_MAX_RETRIES: planted.misplaced, MLFLOW_HTTP_TIMEOUT: planted.misplaced },
  ],
  ['the credentials file', {}],
  ['the tracking URI', { uri: `http://alice:${planted.uriPassword}@` }],
  ['the store’s key', { AWS_ACCESS_KEY_ID: 'AKIAIOSFODNN7EXAMPLE', AWS_SECRET_ACCESS_KEY: planted.secretKey }],
]
const forms = [['--verbose'], ['--json', '--verbose']]

describe.each(places)('secrets in %s', (_, { uri = 'http://', ...env }) => {
  test.each(forms.map((form) => [form.join(' ') || 'pretty', form] as const))('%s', async (_name, form) => {
    const options = { env: { HOME: home, ...env, MLFLOW_TRACKING_URI: `${uri}${address}` } }
    const told = await Promise.all([
      doctor(['check', '--size', '1GiB', ...form], options),
      doctor(['scan', `runs:/${'0'.repeat(32)}`, ...form], options),
      doctor(['scan', `--tracking-uri=${uri}${address}/teapot`, '--experiment', planted.password, ...form], {
        env: { ...options.env, MLFLOW_TRACKING_PASSWORD: planted.password, MLFLOW_TRACKING_USERNAME: 'alice' },
      }),
    ])
    for (const ran of told) {
      expect(ran.code).toBe(3)
      expect((ran.stdout + ran.stderr).length).toBeGreaterThan(100)
      none(ran.stdout + ran.stderr)
    }
  })
})

/** The text of every file, those in archives included. */
const filesIn = async (dir: string): Promise<ReadonlyMap<string, string>> => {
  const found = new Map<string, string>()
  for (const name of await readdir(dir)) {
    const bytes = await readFile(join(dir, name))
    if (!name.endsWith('.zip')) found.set(name, bytes.toString())
    else for (const [inner, part] of Object.entries(unzipSync(bytes))) found.set(`${name}/${inner}`, strFromU8(part))
  }
  return found
}

test.each(places)(
  'secrets in %s: every format, the lines of progress and the support bundle',
  async (_, { uri = 'http://', ...env }) => {
    const out = await mkdtemp(join(home, 'out-'))
    const ran = await doctor(
      [
        ...['check', '--size', '1GiB', '--verbose', '--progress', 'json', '--bundle', join(out, 'bundle.zip')],
        ...formats.flatMap((format) => ['--report', `${format}=${join(out, format)}`]),
        ...['--experiment', planted.password],
      ],
      {
        env: {
          HOME: home,
          MLFLOW_TRACKING_PASSWORD: planted.password,
          MLFLOW_TRACKING_TOKEN: planted.token,
          ...env,
          MLFLOW_TRACKING_URI: `${uri}${address}`,
        },
      },
    )
    expect(ran.code).toBe(3)
    none(ran.stdout + ran.stderr)
    const files = await filesIn(out)
    expect([...files.keys()].filter((name) => name.startsWith('bundle.zip')).length).toBe(7)
    expect(files.size).toBe(7 + formats.length)
    for (const text of files.values()) none(text)
  },
)

test('the support bundle tells settings with their source, and of a variable nobody thought of not even the name', async () => {
  const out = await mkdtemp(join(home, 'out-'))
  const env = {
    HOME: home,
    MLFLOW_TRACKING_URI: `http://${address}`,
    MLFLOW_HTTP_REQUEST_TIMEOUT: '77',
    MLFLOW_OWN_PLUGIN_PASSPHRASE: 'pl4nt3d phrase',
    AWS_SECRET_ACCESS_KEY: planted.secretKey,
    OUR_DATABASE: 'pl4nt3d-database',
  }
  const file = join(out, 'bundle.zip')
  await doctor(['check', '--size', '1GiB', '--bundle', file], { env })
  const files = await filesIn(out)
  for (const text of files.values()) {
    expect(text).not.toContain('pl4nt3d')
    expect(text).not.toContain('OUR_DATABASE')
  }
  const of = (name: string) => JSON.parse(files.get(`bundle.zip/mlflow-doctor-bundle/${name}`) ?? '')
  expect(of('settings.json').options).toContainEqual({ name: 'size', value: '1GiB', source: 'command line' })
  expect(of('settings.json').options).toContainEqual({ name: 'failOn', value: 'error', source: 'default' })
  expect(of('settings.json').environment).toContainEqual({
    name: 'MLFLOW_HTTP_REQUEST_TIMEOUT',
    source: 'environment',
    value: '77',
  })
  expect(of('settings.json').environment).toContainEqual({ name: 'AWS_SECRET_ACCESS_KEY', source: 'environment' })
  expect(of('settings.json').environment).toContainEqual({
    name: 'MLFLOW_OWN_PLUGIN_PASSPHRASE',
    source: 'environment',
  })
  expect(of('versions.json').node).toBe(process.versions.node)
  expect(of('timings.json').checks.length).toBe(of('report.json').checks.length)
})

test('a secret in a file’s name', async () => {
  const dir = join(home, 'store')
  await mkdir(dir, { recursive: true })
  await writeFile(join(dir, 'MLmodel'), `flavors:\n  python_function:\n    python_model: ${planted.token}.pkl\n`)
  const env = { HOME: home, MLFLOW_TRACKING_TOKEN: planted.token, MLFLOW_TRACKING_URI: `http://${address}` }
  for (const form of forms) {
    const ran = await doctor(['scan', dir, ...form], { env })
    expect(ran.stdout + ran.stderr).toContain('[redacted].pkl')
    none(ran.stdout + ran.stderr)
  }
})

test('a secret on the command line that is not understood', async () => {
  const ran = await doctor(['check', '--tracking-uri', `http://alice:${planted.uriPassword}@${address}`, '--sise=1'], {
    env: { HOME: home },
  })
  expect(ran.code).toBe(2)
  none(ran.stdout + ran.stderr)
})

test.each([
  [
    'wasbs://models@acc.blob.core.windows.net/x',
    'key',
    (secret: string) => `AccountName=acc;AccountKey=${secret};BlobEndpoint=http://127.0.0.1:9/acc`,
  ],
  [
    'wasbs://models@acc.blob.core.windows.net/x',
    'signature',
    (secret: string) => `BlobEndpoint=http://127.0.0.1:9/acc;SharedAccessSignature=sv=1&sig=${secret}`,
  ],
  ['wasbs://models@acc.blob.core.windows.net/x', 'nonsense', (secret: string) => `AccountName=acc;AccountKy=${secret}`],
])('scan of %s shows nothing of the %s in a connection string', async (target, _, text) => {
  const secret = Buffer.from('planted-azure-secret-0123456789').toString('base64')
  for (const more of [['--json'], ['--verbose']]) {
    const ran = await doctor(['scan', target, ...more], { env: { AZURE_STORAGE_CONNECTION_STRING: text(secret) } })
    expect(ran.code).toBeGreaterThan(0)
    expect(ran.stdout + ran.stderr).not.toContain(secret)
    expect(ran.stdout + ran.stderr).not.toContain(encodeURIComponent(secret))
  }
})
