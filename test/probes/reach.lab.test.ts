import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createServer, type TlsOptions } from 'node:tls'
import { expect, onTestFinished, test } from 'vitest'
import { reach } from '../../src/probes/reach.ts'
import { scratch, shared, startMlflow, startNginx } from '../lab/index.ts'

const options = { timeoutMs: 20_000, env: {} }
const api = '/api/2.0/mlflow/experiments/get?experiment_id=0'

test('a real MLflow server: every phase timed, its software named', async () => {
  const found = await reach(shared().mlflowFolder.url, { ...options, path: api })
  expect(found).toMatchObject({ status: 200, software: 'uvicorn', addresses: ['127.0.0.1'] })
  expect(found.failed).toBeUndefined()
  expect(found.ms.tcp).toBeGreaterThan(0)
  expect(found.ms.http).toBeGreaterThan(0)
})

test('nginx with TLS: self-signed, trusted through a file, and not checked at all', async () => {
  const nginx = await startNginx({ upstream: shared().mlflowFolder.url, tls: true })
  onTestFinished(() => nginx.stop())
  const { failed } = await reach(nginx.url, { ...options, path: api })
  expect(failed).toMatchObject({ phase: 'tls', why: 'the certificate of 127.0.0.1 is self-signed' })
  expect(failed?.todo).toContain('MLFLOW_TRACKING_SERVER_CERT_PATH')
  expect((await reach(nginx.url, { ...options, role: 'store' })).failed?.todo).toMatch(
    /AWS_CA_BUNDLE.*MLFLOW_S3_IGNORE_TLS/,
  )
  const trusted = { insecure: false, ...(nginx.caFile !== undefined && { caFile: nginx.caFile }) }
  const found = await reach(nginx.url, { ...options, path: api, tls: trusted })
  expect(found).toMatchObject({ status: 200, software: expect.stringMatching(/^nginx/) })
  expect(found.ms.tls).toBeGreaterThan(0)
  expect((await reach(nginx.url, { ...options, tls: { insecure: true }, path: api })).status).toBe(200)
})

test('plain HTTP to the TLS port of a real nginx is told', async () => {
  const nginx = await startNginx({ upstream: shared().mlflowFolder.url, tls: true })
  onTestFinished(() => nginx.stop())
  expect((await reach(nginx.url.replace('https:', 'http:'), options)).failed).toMatchObject({
    phase: 'http',
    why: 'this port wants TLS, and plain HTTP was spoken',
  })
})

test('TLS to the plain port of a real MLflow server is told', async () => {
  const { failed } = await reach(shared().mlflowFolder.url.replace('http:', 'https:'), options)
  expect(failed).toMatchObject({ phase: 'tls', todo: expect.stringContaining('http:// in place of https://') })
})

test('nginx whose server is away answers 502', async () => {
  const nginx = await startNginx({ upstream: 'http://127.0.0.1:9' })
  onTestFinished(() => nginx.stop())
  expect(await reach(nginx.url, { ...options, path: api })).toMatchObject({ status: 502 })
})

test('a host name that a real MLflow server refuses is told, and /health does not show it', async () => {
  const mlflow = await startMlflow({ args: ['--allowed-hosts', 'mlflow.example.org,127.0.0.1:*,localhost:*'] })
  onTestFinished(() => mlflow.stop())
  const nginx = await startNginx({ upstream: mlflow.url, location: 'proxy_set_header Host evil.example.org;' })
  onTestFinished(() => nginx.stop())
  expect((await reach(nginx.url, { ...options, path: '/health' })).failed).toBeUndefined()
  expect((await reach(nginx.url, { ...options, path: api })).failed).toMatchObject({
    phase: 'http',
    why: expect.stringContaining('Invalid Host header'),
    todo: expect.stringContaining('--allowed-hosts'),
  })
})

/** Certificates by the real openssl; the server is Node's, because only a certificate's faults matter here. */
const certificate = async (days: [string, string], names: string) => {
  const dir = await scratch()
  const at = (name: string): string => join(dir, name)
  const openssl = (...args: string[]): void => {
    execFileSync('openssl', args, { cwd: dir, stdio: 'ignore' })
  }
  openssl(
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
    '-subj',
    '/CN=Lab CA',
    '-days',
    '9',
  )
  openssl('req', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'key.pem', '-out', 'csr.pem', '-subj', '/CN=lab')
  // `openssl x509` of Debian 12 takes no dates; `openssl ca` does.
  const fs = await import('node:fs/promises')
  await fs.writeFile(at('index.txt'), '')
  await fs.writeFile(at('serial'), '01')
  await fs.writeFile(
    at('ca.cnf'),
    [
      '[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\npolicy=p',
      `[p]\ncommonName=supplied\n[e]\nsubjectAltName=${names}\n`,
    ].join('\n'),
  )
  const [from, to] = days
  openssl(
    'ca',
    '-batch',
    '-config',
    'ca.cnf',
    '-cert',
    'ca.pem',
    '-keyfile',
    'ca.key',
    '-in',
    'csr.pem',
    '-out',
    'cert.pem',
    '-startdate',
    from,
    '-enddate',
    to,
    '-extensions',
    'e',
    '-notext',
  )
  return {
    cert: readFileSync(at('cert.pem')),
    key: readFileSync(at('key.pem')),
    ca: readFileSync(at('ca.pem')),
    caFile: at('ca.pem'),
    dir,
  }
}

const tlsServer = async (material: TlsOptions): Promise<number> => {
  const server = createServer(material, (socket) => {
    socket.on('error', () => {})
    socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n'))
  })
  server.on('tlsClientError', () => {})
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
  })
  return (server.address() as AddressInfo).port
}
const valid: [string, string] = ['20200101000000Z', '20990101000000Z']

test('an expired certificate is told with its date', async () => {
  const { caFile, ...made } = await certificate(['20200101000000Z', '20240229120000Z'], 'DNS:localhost')
  const port = await tlsServer(made)
  const { failed } = await reach(`https://localhost:${port}`, { ...options, tls: { insecure: false, caFile } })
  expect(failed).toMatchObject({ phase: 'tls', why: 'the certificate of localhost expired on 2024-02-29' })
})

test('a certificate for another name is told with the names that it has', async () => {
  const { caFile, ...made } = await certificate(valid, 'DNS:mlflow.example.org')
  const port = await tlsServer(made)
  const { failed } = await reach(`https://localhost:${port}`, { ...options, tls: { insecure: false, caFile } })
  expect(failed?.why).toBe('name mismatch: the certificate is for DNS:mlflow.example.org, not for localhost')
})

test('a certificate by an authority that is not trusted is told with its name', async () => {
  const port = await tlsServer(await certificate(valid, 'DNS:localhost'))
  const { failed } = await reach(`https://localhost:${port}`, options)
  expect(failed?.why).toMatch(/was issued by Lab CA, which is not trusted here/)
})

test('a server that wants a client certificate: refused without, reached with one file that holds both', async () => {
  const { caFile, dir, ...made } = await certificate(valid, 'DNS:localhost')
  const port = await tlsServer({ ...made, requestCert: true, rejectUnauthorized: true })
  const tls = { insecure: false, caFile }
  const { failed } = await reach(`https://localhost:${port}`, { ...options, tls })
  expect(failed?.todo).toContain('MLFLOW_TRACKING_CLIENT_CERT_PATH')
  const clientCertFile = join(dir, 'both.pem')
  execFileSync('sh', ['-c', 'cat cert.pem key.pem > both.pem'], { cwd: dir })
  expect((await reach(`https://localhost:${port}`, { ...options, tls: { ...tls, clientCertFile } })).status).toBe(200)
})

test('a certificate file that is not there is told with its variable', async () => {
  const port = await tlsServer(await certificate(valid, 'DNS:localhost'))
  const tls = { insecure: false, caFile: '/no/such/ca.pem' }
  expect((await reach(`https://localhost:${port}`, { ...options, tls })).failed).toMatchObject({
    phase: 'tls',
    why: 'the certificate file /no/such/ca.pem cannot be read: there is no such file',
    todo: 'Correct the path in MLFLOW_TRACKING_SERVER_CERT_PATH',
  })
})

test('a client certificate file without a key is told', async () => {
  const { caFile, dir, ...made } = await certificate(valid, 'DNS:localhost')
  const port = await tlsServer(made)
  const tls = { insecure: false, caFile, clientCertFile: join(dir, 'cert.pem') }
  expect((await reach(`https://localhost:${port}`, { ...options, tls })).failed).toMatchObject({
    phase: 'tls',
    todo: expect.stringContaining('unencrypted key'),
  })
})
