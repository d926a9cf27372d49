/** Whatever answers at the tracking URI: one sentence says what, why and what to do, and everything else is looked at all the same. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import type { Report } from '../../src/report.ts'
import { pretty } from '../../src/reporters/pretty.ts'
import { doctor, reportOf } from '../doctor.ts'
import { LOGIN, shared, startMlflow, startNginx } from '../lab/index.ts'
import { nasty, nastySocket, nobody } from '../mlflow/nasty.ts'
import { expectValid } from '../schema.ts'
import { home } from './story.ts'

const planted = 'pl4nted-s3cret'

const look = async (uri: string, env: Record<string, string> = {}): Promise<Report> => {
  const ran = await doctor(['check', '--size', '1GiB', '--json'], {
    env: { ...(await home()), MLFLOW_TRACKING_TOKEN: planted, MLFLOW_TRACKING_URI: uri, ...env },
  })
  expect(ran.stdout + ran.stderr).not.toContain(planted)
  const report = reportOf(ran)
  expectValid(report)
  expect(ran.code).toBe(report.exitCode)
  return report
}

/** What the report says is wrong, each thing once. */
const causes = (report: Report): string[] => {
  const found = report.checks.flatMap(({ findings }) => findings.map(({ says, remedy }) => `${says}. ${remedy.text}`))
  const blocked = report.checks.filter(({ state, blockedBy }) => state === 'blocked' && blockedBy === undefined)
  return [...new Set([...found, ...blocked.map(({ reason = '' }) => reason)])]
}

const expectOneSentence = (report: Report, sentence: RegExp): void => {
  expect(report.exitCode).toBe(3)
  expect(causes(report), JSON.stringify(report.checks, undefined, 1)).toEqual([expect.stringMatching(sentence)])
  // Neither a defect nor a check whose time was up.
  expect(report.checks.filter(({ state }) => state === 'crashed')).toEqual([])
  for (const id of ['host/temp-disk', 'host/memory'])
    expect(report.checks.find((check) => check.id === id)).toMatchObject({ state: expect.stringMatching(/ok|found/) })
  expect(report.checks.find(({ id }) => id === 'proxy/body-limit')).toMatchObject({ state: 'blocked' })
  // A person reads it once, too, and sees no line of a program.
  const text = pretty(report, { color: false, verbose: false, unicode: true })
  const [cause = ''] = causes(report)
  const words = cause.slice(0, 60)
  expect(text.split(words)).toHaveLength(2)
  expect(text).not.toMatch(/^\s+at .+:\d+:\d+\)?$|node:internal|undefined|\[object/m)
}

const always = (status: number, headers: Record<string, string>, body: string | Uint8Array = '') =>
  nasty((ask, to) => {
    ask.resume()
    ask.on('end', () => to.writeHead(status, headers).end(body))
  })
const json = { 'content-type': 'application/json' }
const html = { 'content-type': 'text/html', server: 'nginx/1.22.1' }
const loginPage = '<!doctype html><html><head><title>Sign in to Acme</title></head><body></body></html>'

/** The first question is answered as MLflow does. */
const afterVersion = (answer: (ask: IncomingMessage, to: ServerResponse) => void) =>
  nasty((ask, to) => {
    ask.resume()
    ask.on('end', () => (ask.url === '/version' ? to.end('3.17.2') : answer(ask, to)))
  })

const socket = (meet: (socket: Socket) => void) =>
  nastySocket((one) => {
    one.on('error', () => undefined)
    one.once('data', () => meet(one))
  })

/** As fast as the other side takes it. */
const endlessly = (to: Socket, text: string): void => {
  const more = (): void => {
    while (!to.destroyed && to.write(text));
  }
  to.on('drain', more)
  more()
}

const urlOf = async (server: Promise<{ url: string }>): Promise<string> => (await server).url
const head = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n'

test.each<[string, () => Promise<string>, RegExp]>([
  ['nobody listens', nobody, /refused: nothing listens on port \d+ of 127\.0\.0\.1.+Start the server/],
  [
    'an unknown host',
    async () => 'http://no-such-host.invalid:5000',
    /no-such-host\.invalid is unknown|no answer for no-such-host\.invalid/,
  ],
  [
    'https to a port that speaks HTTP',
    async () => (await urlOf(always(200, json, '{}'))).replace('http', 'https'),
    /speaks no TLS.+Write http:/,
  ],
  ['a hang', () => socket(() => undefined), /took the request and gave no answer.+Look whether the server hangs/],
  [
    'a hang after the headers',
    () => socket((to) => to.write(`${head}content-length: 1000\r\n\r\n`)),
    /did not answer within.+Look into the log of the server/,
  ],
  [
    'a body that drips',
    () =>
      socket((to) => {
        to.write(`${head}content-length: 100000\r\n\r\n`)
        const timer = setInterval(() => to.write(' '), 500)
        to.on('close', () => clearInterval(timer))
      }),
    /did not answer within.+Look into the log of the server/,
  ],
  ['a close', () => socket((to) => to.end()), /closed the connection without an answer.+Check whether this port/],
  ['a reset', () => socket((to) => to.resetAndDestroy()), /closed the connection without an answer.+Check whether/],
  ['garbage', () => socket((to) => to.end('\u0000\u001b[31m what?\r\n\r\n')), /is not HTTP.+Check the port/],
  ['endless garbage', () => socket((to) => endlessly(to, 'x'.repeat(65_536))), /is not HTTP.+Check the port/],
  [
    'endless headers',
    () =>
      socket((to) => {
        to.write(head)
        endlessly(to, `x-more: ${'x'.repeat(1000)}\r\n`)
      }),
    /is not HTTP.+Check the port/,
  ],
  [
    'an endless body',
    () =>
      socket((to) => {
        to.write(`${head}\r\n`)
        endlessly(to, 'x'.repeat(65_536))
      }),
    /larger than 64 MiB.+Check that MLFLOW_TRACKING_URI/,
  ],
  [
    'a gzip bomb of 256 MB',
    () => urlOf(always(200, { ...json, 'content-encoding': 'gzip' }, gzipSync(Buffer.alloc(256 * 1024 ** 2, 32)))),
    /larger than 64 MiB.+Check that MLFLOW_TRACKING_URI/,
  ],
  [
    'gzip that is none',
    () => urlOf(always(200, { ...json, 'content-encoding': 'gzip' }, '{}')),
    /cannot be unpacked \(Z_DATA_ERROR\).+log of the server/,
  ],
  ['no UTF-8', () => urlOf(always(200, json, Buffer.from([0xff, 0xfe, 0x7b, 0x80]))), /did not answer with the JSON/],
  ['nothing in the body', () => urlOf(always(200, json)), /did not answer with the JSON.+Check that/],
  ['a JSON list', () => urlOf(always(200, json, '[1]')), /did not answer with the JSON.+Check that/],
  ['JSON of another service', () => urlOf(always(200, json, '{"status":"UP"}')), /did not answer with the JSON/],
  [
    'JSON of the wrong shape, later',
    () =>
      urlOf(
        afterVersion((ask, to) => to.writeHead(200, json).end(ask.url?.includes('search') ? '{}' : '{"experiment":1}')),
      ),
    /lacks a field that MLflow always gives.+Check that the tracking URI/,
  ],
  [
    'JSON without a bottom',
    () => urlOf(afterVersion((_, to) => to.writeHead(200, json).end('['.repeat(5_000_000)))),
    /did not answer with the JSON/,
  ],
  ['a login page with 200', () => urlOf(always(200, html, loginPage)), /"Sign in to Acme".+no login page stands/],
  [
    'a login page before the API alone',
    () => urlOf(afterVersion((_, to) => to.writeHead(200, html).end(loginPage))),
    /"Sign in to Acme".+no login page stands/,
  ],
  [
    'a redirect to a login page',
    () => urlOf(always(302, { location: `https://login.example/oauth?state=${planted}` })),
    /redirects to https:\/\/login\.example\/oauth \(302\).+MLFLOW_TRACKING_TOKEN/,
  ],
  ['a redirect to nowhere', () => urlOf(always(302, {})), /redirects to another address/],
  ['404 for everything', () => urlOf(always(404, html, '<html><title>Lost</title></html>')), /HTTP 404: "Lost".+path/],
  ['403 from a proxy', () => urlOf(always(403, html, '<html><title>No</title></html>')), /HTTP 403: "No".+permission/],
  ['500 always', () => urlOf(always(500, html)), /HTTP 500.+log of the server/],
  ['502 always', () => urlOf(always(502, html)), /nginx\/1\.22\.1 answers.+does not \(502\).+log of nginx/],
  ['503 always', () => urlOf(always(503, html)), /nginx\/1\.22\.1 answers.+does not \(503\).+log of nginx/],
  [
    'a server that dies after its first answer',
    () => urlOf(afterVersion((ask) => ask.socket.destroy())),
    /closed the connection without an answer|broke off the connection/,
  ],
])('%s', async (_, start, sentence) => {
  expectOneSentence(await look(await start(), { MLFLOW_HTTP_REQUEST_TIMEOUT: '3' }), sentence)
})

test.each([
  ['expired', /expired on \d{4}-\d\d-\d\d.+Renew the server's certificate/],
  ['other-host', /name mismatch: the certificate is for DNS:mlflow\.example.+Use a name from the certificate/],
  [true, /is self-signed.+MLFLOW_TRACKING_SERVER_CERT_PATH/],
] as const)('a certificate that is not good: %s', async (tls, sentence) => {
  const nginx = await startNginx({ upstream: shared().mlflowFolder.url, tls })
  try {
    // Where its authority is trusted, the rest must be right, too.
    const trust = tls === true ? {} : { MLFLOW_TRACKING_SERVER_CERT_PATH: nginx.caFile ?? '' }
    expectOneSentence(await look(nginx.url, trust), sentence)
  } finally {
    await nginx.stop()
  }
})

test('plain HTTP to a port that wants TLS', async () => {
  const nginx = await startNginx({ upstream: shared().mlflowFolder.url, tls: true })
  try {
    const report = await look(nginx.url.replace('https', 'http'))
    expectOneSentence(report, /wants TLS, and plain HTTP was spoken.+https:\/\//)
  } finally {
    await nginx.stop()
  }
})

test('a login that the server does not know', async () => {
  const mlflow = await startMlflow({ auth: true })
  try {
    const wrong = { MLFLOW_TRACKING_USERNAME: LOGIN.username, MLFLOW_TRACKING_PASSWORD: planted }
    for (const env of [wrong, {}]) {
      expectOneSentence(await look(mlflow.url, env), /401.+MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD/)
    }
  } finally {
    await mlflow.stop()
  }
})

test.each([
  [`postgresql://mlflow:${planted}@db/mlflow`, /does not read postgresql databases.+Start `mlflow server`/],
  [`mysql+pymysql://u:${planted}@h/db`, /does not read mysql databases.+Start `mlflow server`/],
  [`mssql+pyodbc://u:${planted}@h/db`, /does not read mssql databases.+Start `mlflow server`/],
  ['databricks', /Databricks and Unity Catalog are not supported.+self-hosted/],
  ['databricks://profile', /Databricks and Unity Catalog are not supported/],
  ['databricks-uc', /Databricks and Unity Catalog are not supported/],
  ['uc:', /Databricks and Unity Catalog are not supported/],
  ['uc:http://x', /Databricks and Unity Catalog are not supported/],
  ['arn:aws:sagemaker:us-east-1:123456789012:mlflow-tracking-server/x', /needs the sagemaker-mlflow plugin/],
  ['s3://bucket/x', /never a tracking URI.+--artifacts-destination/],
  ['ftp://x', /never a tracking URI.+--artifacts-destination/],
  ['gopher://x', /its scheme "gopher" is not one of/],
  ['sqlite:////no/such/mlflow.db', /no\/such\/mlflow\.db: the file does not exist/],
  ['file:///no/such', /does not exist or is no folder/],
])('a tracking URI of another kind: %s', async (uri, sentence) => {
  expectOneSentence(await look(uri), sentence)
})
