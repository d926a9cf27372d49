import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { products } from '../../../checks/proxy/products/table.ts'
import type { Limit } from '../../../src/check.ts'
import type { ForecastRow, Report } from '../../../src/report.ts'
import { examined } from '../../doctor.ts'
import { systemProgram } from '../../lab/apt.ts'
import { scratch, shared, startHaproxy, startMlflow, startNginx, startThrottle } from '../../lab/index.ts'

/** A server whose way to its store is slow: 2 MB a second, so that 24 MB keep the answer back for 12 s. */
let server: Awaited<ReturnType<typeof startMlflow>>
let link: Awaited<ReturnType<typeof startThrottle>>
let state = ''
beforeAll(async () => {
  const { seaweed, mlflowS3 } = shared()
  link = await startThrottle({ upstream: seaweed.endpoint, bytesPerSecond: 2_000_000 })
  server = await startMlflow({
    artifactsDestination: `s3://${mlflowS3.bucket}/time-outs`,
    env: { ...seaweed.env, MLFLOW_S3_ENDPOINT_URL: link.url },
  })
  state = await scratch()
})
afterAll(async () => {
  await server?.stop()
  await link?.stop()
})

const checked = (url: string, ...more: string[]): Promise<Report> =>
  examined(['check', '--tracking-uri', url, '--size', '24MB', '--traffic', '20MB', '--as', 'log_artifact', ...more], {
    env: { XDG_STATE_HOME: state },
  })
const rowOf = (report: Report): ForecastRow | undefined => report.forecast?.[0]
const limitsOf = (report: Report, scope: Limit['scope']) =>
  report.limits?.filter((limit) => limit.scope === scope && limit.hop === 'proxy')

/** Within the tenth that is promised. */
const about = (ms: number) => expect.toSatisfy((found: number) => found > ms * 0.9 && found < ms * 1.1)

const answered = [
  {
    by: 'nginx',
    setting: 'proxy_read_timeout',
    start: (line: string) => startNginx({ upstream: server.url, location: `client_max_body_size 0; ${line}` }),
    short: 'proxy_read_timeout 4s;',
  },
  {
    by: 'haproxy',
    setting: 'timeout server',
    start: (line: string) => startHaproxy({ upstream: server.url, backend: line }),
    short: 'timeout server 4s',
  },
] as const

test.each(answered)(
  '$by: a canary meets the time-out of the answer, the forecast fails by it, and the line that it prints mends that',
  async ({ setting, start, short }) => {
    const tight = await start(short)
    onTestFinished(() => tight.stop())
    const report = await checked(tight.url)
    const [limit] = limitsOf(report, 'answer') ?? []
    expect(limit).toMatchObject({ setting, basis: 'measured', hop: 'proxy', max: { ms: about(4000) } })
    const row = rowOf(report)
    expect(row).toMatchObject({ verdict: 'fails', limit: { setting, unit: 'ms' } })
    const [line = ''] = row?.remedy?.commands ?? []
    expect(line).toMatch(new RegExp(`^${setting} \\d+s;?$`))

    const mended = await start(line)
    onTestFinished(() => mended.stop())
    const after = await checked(mended.url)
    expect(limitsOf(after, 'answer')?.filter(({ basis }) => basis === 'measured')).toEqual([])
    expect(rowOf(after)?.verdict).not.toBe('fails')
  },
)

test('--deep: the pause that nginx allows is measured within a tenth, and the run leaves no gap about times', async () => {
  const nginx = await startNginx({
    upstream: server.url,
    directives: 'client_body_timeout 4s; client_max_body_size 0;',
  })
  onTestFinished(() => nginx.stop())
  // Requests are watched for 8 s then.
  const report = await checked(nginx.url, '--deep', '--timeout', '56s', '--only', 'proxy/*', '--require', 'times')
  const [idle] = limitsOf(report, 'idle') ?? []
  expect(idle).toMatchObject({ setting: 'client_body_timeout', basis: 'measured', max: { ms: about(4000) } })
  expect(report.covered.gaps.filter(({ about }) => about === 'times')).toEqual([])
  expect(report.exitCode).toBe(0)
})

test('without --deep what is recognised is assumed, that is said, and --require makes it exit 3', async () => {
  const nginx = await startNginx({ upstream: server.url, directives: 'client_max_body_size 0;' })
  onTestFinished(() => nginx.stop())
  const report = await checked(nginx.url, '--only', 'proxy/*', '--require', 'times')
  expect(report.limits).toContainEqual(
    expect.objectContaining({ setting: 'client_body_timeout', basis: 'assumed', max: { ms: 60_000 } }),
  )
  expect(report.covered.gaps).toContainEqual(
    expect.objectContaining({ about: 'times', because: expect.stringMatching(/--deep .*; those of nginx/) }),
  )
  expect(report.exitCode).toBe(3)
})

test('a direct uvicorn is taken for no proxy', async () => {
  const report = await checked(server.url, '--only', 'proxy/*')
  expect(report.limits).toEqual([])
  expect(report.covered.gaps.map(({ because }) => because)).toEqual([expect.stringMatching(/nothing on the way gives/)])
})

/** Whether the program itself takes a configuration. */
const accepts = async (program: string, args: readonly string[]): Promise<boolean> =>
  promisify(execFile)(program, args).then(
    () => true,
    () => false,
  )

const linesOf = (name: string): string[] =>
  products
    .filter((product) => product.name === name)
    .flatMap(({ size, times }) => [
      ...(size?.lines?.(2 ** 34) ?? []),
      ...times.flatMap((time) => time.lines?.(251) ?? []),
    ])

const nginxTakes = async (lines: readonly string[]): Promise<boolean> => {
  const dir = await scratch()
  await mkdir(join(dir, 'body'))
  const file = join(dir, 'nginx.conf')
  await writeFile(
    file,
    `pid ${dir}/pid; error_log ${dir}/log; events {}
     http { access_log off; client_body_temp_path ${dir}/body; proxy_temp_path ${dir}/body;
       server { listen 127.0.0.1:9; location / { proxy_pass http://127.0.0.1:9; ${lines.join('\n')} } } }`,
  )
  return accepts(await systemProgram('nginx', 'nginx-light'), ['-t', '-p', dir, '-c', file, '-e', join(dir, 'log')])
}

const haproxyTakes = async (lines: readonly string[]): Promise<boolean> => {
  const file = join(await scratch(), 'haproxy.cfg')
  const front = lines.filter((line) => line.startsWith('timeout client'))
  const back = lines.filter((line) => !front.includes(line))
  await writeFile(
    file,
    `defaults\n mode http\n timeout connect 5s\n timeout client 5s\n timeout server 5s
frontend in\n bind 127.0.0.1:9\n ${front.join('\n ')}\n default_backend out
backend out\n ${back.join('\n ')}\n server one 127.0.0.1:9\n`,
  )
  return accepts(await systemProgram('haproxy', 'haproxy'), ['-c', '-f', file])
}

test('nginx and haproxy take every line that is printed for them', async () => {
  expect(linesOf('nginx')).toHaveLength(3)
  expect(await nginxTakes(linesOf('nginx'))).toBe(true)
  expect(await nginxTakes(['proxy_read_timeouts 251s;'])).toBe(false)
  expect(linesOf('HAProxy')).toHaveLength(2)
  expect(await haproxyTakes(linesOf('HAProxy'))).toBe(true)
  expect(await haproxyTakes(['timeout sever 251s'])).toBe(false)
})
