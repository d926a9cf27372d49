import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Trouble } from '../../src/errors.ts'
import { secretsOf } from '../../src/mlflow/secrets.ts'
import { readSettings, type SettingsFlags } from '../../src/mlflow/settings.ts'

let dir = ''
let home = ''
let cwd = ''
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'set-'))
  home = join(dir, 'home')
  cwd = join(dir, 'cwd')
  for (const one of [home, cwd]) mkdirSync(one)
})
afterEach(() => rmSync(dir, { recursive: true }))

const read = (env: Record<string, string> = {}, flags?: SettingsFlags) => readSettings({ env, cwd, home, flags })
const write = (path: string, text: string): void => {
  mkdirSync(join(path, '..'), { recursive: true })
  writeFileSync(path, text)
}
const troubleOf = (env: Record<string, string>): Trouble => {
  try {
    read(env)
  } catch (error) {
    if (error instanceof Trouble) return error
    throw error
  }
  throw new Error('it was accepted')
}
const server = { MLFLOW_TRACKING_URI: 'http://mlflow.test:5000' }

describe('the tracking URI', () => {
  test('by default a database in the working folder, as MLflow 3.17.2 takes it', () => {
    expect(read()).toMatchObject({ trackingUri: `sqlite:///${cwd}/mlflow.db`, trackingKind: 'sqlite', sources: [] })
  })
  test('mlruns with an experiment in it wins, as in MLflow 3.17.2', () => {
    mkdirSync(join(cwd, 'mlruns', '.trash'), { recursive: true })
    mkdirSync(join(cwd, 'mlruns', 'models'))
    writeFileSync(join(cwd, 'mlruns', 'models', 'meta.yaml'), '')
    expect(read().trackingKind).toBe('sqlite')
    mkdirSync(join(cwd, 'mlruns', '0'))
    expect(read().trackingKind).toBe('sqlite')
    // Even a dangling link counts: MLflow asks with lexists.
    symlinkSync('nowhere', join(cwd, 'mlruns', '0', 'meta.yaml'))
    expect(read()).toMatchObject({ trackingUri: `file://${cwd}/mlruns`, trackingKind: 'folder' })
  })
  test('a flag wins over the variable, an empty variable is none', () => {
    const flags = { trackingUri: 'https://b.test/path/' }
    expect(read(server, flags)).toMatchObject({
      trackingUri: 'https://b.test/path',
      trackingKind: 'server',
      sources: [{ name: '--tracking-uri', from: 'flag' }],
    })
    expect(read({ MLFLOW_TRACKING_URI: '' }).trackingKind).toBe('sqlite')
  })
  test.each([
    ['sqlite:///a.db', () => `sqlite:///${cwd}/a.db`],
    ['sqlite:////abs/a.db?timeout=3', () => 'sqlite:////abs/a.db'],
    ['sqlite+pysqlite:///a.db', () => `sqlite:///${cwd}/a.db`],
    ['./', () => `file://${cwd}`],
    ['file:runs', () => `file://${cwd}/runs`],
    ['file:///abs/with%20space', () => 'file:///abs/with%20space'],
  ])('%s becomes absolute', (uri, expected) => {
    expect(read({ MLFLOW_TRACKING_URI: uri }).trackingUri).toBe(expected())
  })
  test('a database whose name MLflow writes with escapes is found as SQLAlchemy finds it', () => {
    writeFileSync(join(cwd, 'a b.db'), '')
    expect(read({ MLFLOW_TRACKING_URI: `sqlite:///${cwd}/a%20b.db` }).trackingUri).toBe(`sqlite:///${cwd}/a b.db`)
  })
  test('user and password are taken out and decoded', () => {
    const settings = read({ MLFLOW_TRACKING_URI: 'http://me:p%40ss@h.test/x' })
    expect(settings).toMatchObject({ trackingUri: 'http://h.test/x', auth: { username: 'me', password: 'p@ss' } })
    expect(JSON.stringify(settings.sources)).not.toContain('p@ss')
  })

  const foreign = [
    ['postgresql://u:topsecret@h/db', 'mlflow server'],
    ['mysql+pymysql://u:topsecret@h/db', 'mlflow server'],
    ['mssql://u:topsecret@h/db', 'mlflow server'],
    ['databricks', 'self-hosted'],
    ['databricks://profile', 'self-hosted'],
    ['databricks-uc', 'self-hosted'],
    ['uc:http://h', 'self-hosted'],
    ['arn:aws:sagemaker:eu-west-1:1:mlflow-tracking-server/x', 'self-hosted'],
    ['s3://bucket/mlflow', 'artifacts-destination'],
    ['gs://bucket', 'artifacts-destination'],
    ['redis://h', 'scheme "redis"'],
  ] as const
  test.each(foreign)('%s is unsupported, in one clear sentence', (uri, words) => {
    const trouble = troubleOf({ MLFLOW_TRACKING_URI: uri })
    expect(trouble.kind).toBe('unsupported')
    expect(trouble.message).toContain(words)
    expect(trouble.message).not.toContain('topsecret')
  })
  test('s3:// is explained: an artifact store is no tracking URI', () => {
    expect(troubleOf({ MLFLOW_TRACKING_URI: 's3://b/x' }).why).toContain('never a tracking URI')
  })
  test.each(['localhost:5000', 'http://', 'http:/x', 'no such folder', 'http://a b', 'sqlite://', 'a\nb'])(
    '%j is wrong usage',
    (uri) => {
      expect(troubleOf({ MLFLOW_TRACKING_URI: uri }).kind).toBe('usage')
    },
  )
})

describe('the login', () => {
  test('variables, and a credentials file for what they leave out', () => {
    write(
      join(home, '.mlflow', 'credentials'),
      '[mlflow]\nmlflow_tracking_username = file-user\nmlflow_tracking_password: file:pw=1\n',
    )
    expect(read(server).auth).toEqual({ username: 'file-user', password: 'file:pw=1' })
    expect(read({ ...server, MLFLOW_TRACKING_USERNAME: 'env-user' }).auth).toEqual({
      username: 'env-user',
      password: 'file:pw=1',
    })
    expect(read(server).sources).toContainEqual({ name: '~/.mlflow/credentials', from: 'file' })
  })
  test('netrc wins over the URI, and the URI over the variables, as in requests', () => {
    const env = {
      MLFLOW_TRACKING_URI: 'http://u:p@h.test',
      MLFLOW_TRACKING_USERNAME: 'e',
      MLFLOW_TRACKING_PASSWORD: 'f',
    }
    expect(read(env).auth).toEqual({ username: 'u', password: 'p' })
    write(
      join(home, '.netrc'),
      '# mine\nmachine other login a password b\nmachine h.test\n  login n\n  password q\ndefault login z password y\n',
    )
    expect(read(env).auth).toEqual({ username: 'n', password: 'q' })
    expect(read(server).auth).toEqual({ username: 'z', password: 'y' })
  })
  test('a token', () => {
    expect(read({ ...server, MLFLOW_TRACKING_TOKEN: 'tok' }).auth).toEqual({ token: 'tok' })
  })
  test('a login by a Python plugin is unsupported', () => {
    expect(troubleOf({ ...server, MLFLOW_TRACKING_AUTH: 'kubernetes' }).kind).toBe('unsupported')
    expect(troubleOf({ ...server, MLFLOW_TRACKING_AWS_SIGV4: 'true' }).message).toContain('MLFLOW_TRACKING_TOKEN')
  })
  test('a credentials file that cannot be read is wrong usage', () => {
    mkdirSync(join(home, '.mlflow', 'credentials'), { recursive: true })
    const trouble = troubleOf(server)
    expect(trouble.kind).toBe('usage')
    expect(trouble.message).toContain('~/.mlflow/credentials')
  })
})

test('a time limit longer than any timer is as long as timers go', () => {
  expect(read({ MLFLOW_HTTP_REQUEST_TIMEOUT: '9999999' }).requestTimeoutMs).toBe(2 ** 31 - 1)
})

describe('TLS', () => {
  test('the CA file of MLflow wins over those of requests, which count only without it', () => {
    for (const name of ['a', 'b', 'c']) writeFileSync(join(cwd, name), '')
    const env = { ...server, REQUESTS_CA_BUNDLE: join(cwd, 'b'), CURL_CA_BUNDLE: join(cwd, 'c') }
    expect(read({ ...env, MLFLOW_TRACKING_SERVER_CERT_PATH: 'a' }).tls.caFile).toBe(join(cwd, 'a'))
    expect(read(env).tls.caFile).toBe(join(cwd, 'b'))
    expect(read({ ...server, CURL_CA_BUNDLE: join(cwd, 'c') }).tls.caFile).toBe(join(cwd, 'c'))
    expect(read({ ...env, MLFLOW_TRACKING_INSECURE_TLS: 'true' }).tls).toEqual({ insecure: true })
  })
  test('both switches together are refused, as in MLflow', () => {
    writeFileSync(join(cwd, 'a'), '')
    expect(
      troubleOf({ ...server, MLFLOW_TRACKING_INSECURE_TLS: '1', MLFLOW_TRACKING_SERVER_CERT_PATH: 'a' }).kind,
    ).toBe('usage')
  })
  test('a file that is not there is named by its variable', () => {
    expect(troubleOf({ ...server, MLFLOW_TRACKING_CLIENT_CERT_PATH: '/no/such' }).message).toContain(
      'MLFLOW_TRACKING_CLIENT_CERT_PATH',
    )
  })
})

describe('numbers, switches and the store', () => {
  test('defaults are those of MLflow 3.17.2', () => {
    expect(read()).toMatchObject({
      requestTimeoutMs: 120_000,
      multipartMinimum: 524_288_000,
      multipartChunk: 10_485_760,
      proxyMultipart: undefined,
      experiment: { id: '0' },
      s3: { ignoreTls: false, addressing: 'auto', extraArgs: {} },
    })
  })
  test('what is set is read, and only its name is noted', () => {
    const settings = read({
      MLFLOW_HTTP_REQUEST_TIMEOUT: ' 1_0 ',
      MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE: '0',
      MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE: '5242880',
      MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD: 'False',
      MLFLOW_S3_UPLOAD_EXTRA_ARGS: '{"ServerSideEncryption": "aws:kms", "Metadata": {"a": "b"}}',
      MLFLOW_S3_IGNORE_TLS: 'TRUE',
      MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE: 'path',
      MLFLOW_S3_EXPECTED_BUCKET_OWNER: '123',
      MLFLOW_S3_ENDPOINT_URL: 'http://s3.test:9000',
      AWS_ENDPOINT_URL: 'http://other.test',
      AWS_DEFAULT_REGION: 'eu-west-1',
      MLFLOW_WORKSPACE: ' team ',
      MLFLOW_RUN_ID: 'abc',
    })
    expect(settings).toMatchObject({
      requestTimeoutMs: 10_000,
      multipartMinimum: 0,
      multipartChunk: 5_242_880,
      proxyMultipart: false,
      workspace: 'team',
      runId: 'abc',
      s3: {
        endpoint: 'http://s3.test:9000',
        region: 'eu-west-1',
        ignoreTls: true,
        addressing: 'path',
        expectedBucketOwner: '123',
        extraArgs: { ServerSideEncryption: 'aws:kms', Metadata: '{"a":"b"}' },
      },
    })
    expect(settings.sources.every((one) => one.from === 'environment')).toBe(true)
    expect(settings.sources.map((one) => one.name)).toContain('MLFLOW_S3_UPLOAD_EXTRA_ARGS')
  })
  test('when boto3 adds checksums, by the variable or else by the profile', () => {
    expect(read().s3.checksums).toBeUndefined()
    write(join(home, '.aws', 'config'), '[default]\nrequest_checksum_calculation = WHEN_REQUIRED\n')
    expect(read().s3.checksums).toBe('when_required')
    expect(read({ AWS_REQUEST_CHECKSUM_CALCULATION: 'when_supported' }).s3.checksums).toBe('when_supported')
  })
  test('region and endpoint of the AWS profile', () => {
    write(
      join(home, '.aws', 'config'),
      '[default]\nregion = a\n[profile lab]\nregion = b\nendpoint_url = http://e.test\n',
    )
    expect(read().s3.region).toBe('a')
    expect(read({ AWS_PROFILE: 'lab' }).s3).toMatchObject({ region: 'b', endpoint: 'http://e.test' })
    expect(read({ AWS_PROFILE: 'lab', AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: 'true' }).s3.endpoint).toBeUndefined()
  })
  test('the experiment: flag, then name, then id', () => {
    const env = { MLFLOW_EXPERIMENT_NAME: 'n', MLFLOW_EXPERIMENT_ID: '7' }
    expect(read(env).experiment).toEqual({ name: 'n' })
    expect(read({ MLFLOW_EXPERIMENT_ID: '7' }).experiment).toEqual({ id: '7' })
    expect(read(env, { experiment: '12' }).experiment).toEqual({ id: '12' })
    expect(read(env, { experiment: 'x1' }).experiment).toEqual({ name: 'x1' })
  })
  test.each([
    ['MLFLOW_HTTP_REQUEST_TIMEOUT', 'hunter22'],
    ['MLFLOW_HTTP_REQUEST_TIMEOUT', '0'],
    ['MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE', '1e7'],
    ['MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE', ''],
    ['MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD', 'yes'],
    ['MLFLOW_S3_UPLOAD_EXTRA_ARGS', '{"SSECustomerKey": hunter22'],
    ['MLFLOW_S3_UPLOAD_EXTRA_ARGS', '["hunter22"]'],
    ['MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE', 'hunter22'],
    ['MLFLOW_S3_ENDPOINT_URL', 'hunter22'],
  ])('%s=%s is wrong usage, by name and without the value', (name, value) => {
    const trouble = troubleOf({ [name]: value })
    expect(trouble.kind).toBe('usage')
    expect(trouble.message).toContain(name)
    expect(trouble.message).not.toContain('hunter22')
  })
})

describe('secrets in reach', () => {
  test('from variables, files and addresses', () => {
    write(
      join(home, '.aws', 'credentials'),
      '[default]\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = aws-file-secret\n',
    )
    write(
      join(home, '.mlflow', 'credentials'),
      '[mlflow]\nmlflow_tracking_username = u\nmlflow_tracking_password = mlflow-file-secret\n',
    )
    write(join(home, '.netrc'), 'machine h login u password netrc-secret')
    write(join(home, 'gcs.json'), '{"private_key_id": "k", "private_key": "gcs-secret"}')
    const env = {
      MLFLOW_TRACKING_TOKEN: 'token-secret',
      AWS_SESSION_TOKEN: 'session-secret',
      AZURE_STORAGE_CONNECTION_STRING: 'AccountName=a;AccountKey=azure-secret;EndpointSuffix=x',
      GOOGLE_APPLICATION_CREDENTIALS: join(home, 'gcs.json'),
      HTTPS_PROXY: 'http://me:proxy%2Dsecret@h',
      MY_API_KEY: 'guessed-secret',
      TOKENIZERS_PARALLELISM: 'true',
      USE_TOKEN: 'yes',
      AWS_ACCESS_KEY_ID: 'AKIAEXAMPLE',
      MLFLOW_S3_UPLOAD_EXTRA_ARGS: '{"SSECustomerKey": "sse-secret"}',
    }
    const secrets = secretsOf({ env, home, texts: ['https://me:flag-secret@h'] })
    for (const name of [
      'aws-file',
      'mlflow-file',
      'netrc',
      'gcs',
      'token',
      'session',
      'azure',
      'proxy',
      'guessed',
      'sse',
      'flag',
    ])
      expect(secrets).toContain(`${name}-secret`)
    expect(secrets).toContain(Buffer.from('u:mlflow-file-secret').toString('base64'))
    for (const word of ['true', 'yes', 'AKIAEXAMPLE', '']) expect(secrets).not.toContain(word)
  })
  test('files that are not there or no text are no trouble', () => {
    expect(secretsOf({ env: {}, home: join(home, 'nobody') })).toEqual([])
  })
})
