import type { RequestListener } from 'node:http'
import { describe, expect, test } from 'vitest'
import { Trouble } from '../../src/errors.ts'
import { openHttp } from '../../src/mlflow/http.ts'
import { openServer } from '../../src/mlflow/server.ts'
import { readSettings } from '../../src/mlflow/settings.ts'
import { envFor, nasty, nastySocket, nobody } from './nasty.ts'

/** Waits nowhere and remembers how long it should have. */
const noSleep = () => {
  const waits: number[] = []
  return { waits, sleep: async (ms: number) => void waits.push(ms) }
}
const json = (body: unknown, status = 200, headers: Record<string, string> = {}): RequestListener => {
  return (_, response) =>
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}
/** Answers GET /version and the first search as MLflow does, and everything else as told. */
const like =
  (answer: RequestListener): RequestListener =>
  (request, response) => {
    if (request.url?.endsWith('/version')) response.end('3.17.2')
    else if (request.url?.endsWith('/experiments/search')) json({})(request, response)
    else if (request.url?.endsWith('/server-info')) json({ multipart_uploads_enabled: true })(request, response)
    else answer(request, response)
  }
const troubleFrom = async (doing: Promise<unknown>): Promise<Trouble> => {
  const error = await doing.then(
    () => new Error('it worked'),
    (reason: unknown) => reason,
  )
  if (error instanceof Trouble) return error
  throw error
}
const open = (url: string, more: Record<string, string> = {}) =>
  openServer(readSettings(envFor(url, more)), { sleep: noSleep().sleep })
const login = { MLFLOW_TRACKING_USERNAME: 'me', MLFLOW_TRACKING_PASSWORD: 'hunter22' }

describe('what a server says of itself (throw-away server)', () => {
  test('version, software, flags; login and workspace with every request, an Origin with none', async () => {
    const { url, seen } = await nasty((request, response) => {
      response.setHeader('server', 'uvicorn')
      like(json({}))(request, response)
    })
    const direct = await open(`${url}/team/mlflow/`, { ...login, MLFLOW_WORKSPACE: 'w' })
    expect(direct.info).toEqual({ version: '3.17.2', software: 'uvicorn', multipartUploads: true })
    expect(seen.map((one) => one.url)).toEqual([
      '/team/mlflow/version',
      '/team/mlflow/api/2.0/mlflow/experiments/search',
      '/team/mlflow/api/3.0/mlflow/server-info',
    ])
    for (const { headers } of seen) {
      expect(headers.authorization).toBe(`Basic ${Buffer.from('me:hunter22').toString('base64')}`)
      expect(headers['x-mlflow-workspace']).toBe('w')
      expect(headers.origin).toBeUndefined()
    }
    direct.close()
  })
  test('a server that knows neither /version nor server-info is an old MLflow', async () => {
    const { url } = await nasty((request, response) => {
      if (request.url?.endsWith('/experiments/search')) json({})(request, response)
      else response.writeHead(404, { 'content-type': 'text/html' }).end('<!doctype html><title>404 Not Found</title>')
    })
    expect((await open(url)).info).toEqual({})
  })
})

describe('nasty answers (throw-away server)', () => {
  const cases: [string, RequestListener, Partial<Trouble>, string, string][] = [
    [
      '401',
      json({ error_code: 'X', message: 'who are you' }, 401),
      { kind: 'unauthenticated', status: 401 },
      'who are you',
      'MLFLOW_TRACKING_USERNAME',
    ],
    [
      '403',
      json({ error_code: 'PERMISSION_DENIED', message: 'no' }, 403),
      { kind: 'denied', status: 403 },
      '"no"',
      'permission',
    ],
    [
      'a refused host name',
      (_, r) => r.writeHead(403).end('Invalid Host header - possible DNS rebinding attack detected'),
      { kind: 'denied' },
      'Invalid Host header',
      '--allowed-hosts 127.0.0.1',
    ],
    [
      'a web page with status 200',
      (_, r) => r.end('<!DOCTYPE html><title>Sign in\n here</title>'),
      { kind: 'unexpected-answer' },
      'web page ("Sign in here")',
      'login page',
    ],
    [
      'a web page with status 404',
      (_, r) => r.writeHead(404).end('<html><title>nope</title>'),
      { kind: 'unsupported' },
      '404',
      'path',
    ],
    [
      'a login redirect',
      (_, r) => r.writeHead(302, { location: 'https://sso.test/login?state=hunter22' }).end(),
      { kind: 'unexpected-answer' },
      'https://sso.test',
      'MLFLOW_TRACKING_TOKEN',
    ],
    [
      'garbage JSON',
      (q, r) => (q.url === '/version' ? r.end('3.17.2') : r.end('{"a":')),
      { kind: 'unexpected-answer' },
      'JSON',
      'MLFLOW_TRACKING_URI',
    ],
    [
      'a JSON list',
      (q, r) => (q.url === '/version' ? r.end('3.17.2') : r.end('[]')),
      { kind: 'unexpected-answer' },
      'JSON',
      'MLFLOW_TRACKING_URI',
    ],
    [
      '413',
      (_, r) => r.writeHead(413).end('<html><title>413 Too Large</title>'),
      { kind: 'too-large' },
      '413 Too Large',
      'limit',
    ],
    [
      '501',
      json({ error_code: 'NOT_IMPLEMENTED' }, 501),
      { kind: 'unsupported' },
      'NOT_IMPLEMENTED',
      'MLFLOW_TRACKING_URI',
    ],
  ]
  test.each(cases)('%s', async (_, answer, fields, why, todo) => {
    const { url, seen } = await nasty(answer)
    const trouble = await troubleFrom(open(url, login))
    expect(trouble).toMatchObject(fields)
    expect(trouble.why).toContain(why)
    expect(trouble.todo).toContain(todo)
    expect(trouble.message).not.toContain('hunter22')
    // None of these is mended by asking again; the third looks for a server at another path.
    expect(seen.length).toBeLessThanOrEqual(3)
  })

  test('http that redirects to https of the same host: write https', async () => {
    const { url } = await nasty((request, response) => {
      response.writeHead(301, { location: `https://${request.headers.host}/version` }).end()
    })
    expect((await troubleFrom(open(url))).todo).toBe('Write https:// in the tracking URI')
  })

  test('a redirect is never followed: the other address sees no request', async () => {
    const other = await nasty(json({}))
    const { url } = await nasty((_, response) => response.writeHead(307, { location: `${other.url}/version` }).end())
    await troubleFrom(open(url, login))
    expect(other.seen).toEqual([])
  })

  test('words of the server are kept to one short line without addresses in full', async () => {
    const long = `line\n\u001b[31m two https://me:hunter22@h/x?sig=hunter22 ${'x'.repeat(500)}`
    const { url } = await nasty(json({ error_code: 'X', message: long }, 403))
    const { why } = await troubleFrom(open(url))
    expect(why).toContain('line [31m two https://h/x')
    expect(why).not.toMatch(/[\u0000-\u001f]|hunter22|x{200}/)
  })

  test('an answer beyond the size cap is stopped', async () => {
    const { url } = await nasty(
      like((_, response) => {
        const piece = Buffer.alloc(1024 * 1024, 32)
        const more = (): void => {
          while (response.writable && response.write(piece));
          if (response.writable) response.once('drain', more)
        }
        more()
      }),
    )
    const server = await open(url)
    expect(await troubleFrom(server.run('abc'))).toMatchObject({
      kind: 'unexpected-answer',
      why: expect.stringContaining('64 MiB'),
    })
    server.close()
  })

  test('a hang ends by MLFLOW_HTTP_REQUEST_TIMEOUT, and is not tried again', async () => {
    let hangs = 0
    const { url } = await nasty(
      like(() => {
        hangs += 1
      }),
    )
    const server = await openServer({ ...readSettings(envFor(url)), requestTimeoutMs: 200 })
    expect(await troubleFrom(server.run('abc'))).toMatchObject({
      kind: 'unreachable',
      why: expect.stringContaining('200 ms'),
    })
    expect(hangs).toBe(1)
    server.close()
  })

  test('an answer that stops in its middle is a hang as well', async () => {
    const { url } = await nasty(
      like((_, response) => void response.writeHead(200, { 'content-length': '100' }).write('{')),
    )
    const server = await openServer({ ...readSettings(envFor(url)), requestTimeoutMs: 200 })
    expect((await troubleFrom(server.run('abc'))).kind).toBe('unreachable')
    server.close()
  })

  test('even the first answer may not stop in its middle', async () => {
    const { url } = await nasty((_, response) => void response.writeHead(200, { 'content-length': '6' }).write('3.'))
    const opening = openServer({ ...readSettings(envFor(url)), requestTimeoutMs: 200 })
    expect((await troubleFrom(opening)).why).toContain('200 ms')
  })

  test('the caller ends it: the reason of its signal comes back', async () => {
    const { url } = await nasty(like(() => {}))
    const server = await open(url)
    const stop = new AbortController()
    const running = server.run('abc', stop.signal)
    setTimeout(() => stop.abort(new Error('enough')), 20)
    await expect(running).rejects.toThrow('enough')
    server.close()
  })

  test('a page token that comes twice ends the listing', async () => {
    const looping = await nasty((request, response) => {
      if (request.url === '/version') response.end('3.17.2')
      else json({ experiments: [], next_page_token: 'again' })(request, response)
    })
    const second = await open(looping.url)
    const all = async () => {
      for await (const _ of second.experiments());
    }
    expect((await troubleFrom(all())).why).toContain('token twice')
    second.close()
  })
})

describe('trying again (throw-away server)', () => {
  const failing = (times: number, status: number, headers: Record<string, string> = {}) => {
    let left = times
    return like((request, response) => {
      if (left-- > 0) response.writeHead(status, headers).end()
      else json({ run: { info: { run_id: 'abc', experiment_id: '1', artifact_uri: '/x' } } })(request, response)
    })
  }
  test.each([408, 429, 500, 502, 503, 504])('%i is tried again with growing pauses', async (status) => {
    const { url } = await nasty(failing(2, status))
    const { sleep, waits } = noSleep()
    const server = await openServer(readSettings(envFor(url)), { sleep })
    expect((await server.run('abc')).runId).toBe('abc')
    expect(waits).toEqual([500, 1500])
    server.close()
  })
  test('and given up soon', async () => {
    const { url, seen } = await nasty(failing(99, 503))
    const server = await open(url)
    const before = seen.length
    expect(await troubleFrom(server.run('abc'))).toMatchObject({ kind: 'unavailable', status: 503 })
    expect(seen.length - before).toBe(4)
    server.close()
  })
  test('Retry-After sets the pause; one that is longer than the whole call may take is not waited for', async () => {
    const { sleep, waits } = noSleep()
    const short = await nasty(failing(1, 503, { 'retry-after': '3' }))
    const server = await openServer(readSettings(envFor(short.url)), { sleep })
    await server.run('abc')
    expect(waits).toEqual([3000])
    server.close()
    const long = await nasty(failing(1, 503, { 'retry-after': '3600' }))
    const other = await openServer(readSettings(envFor(long.url)), { sleep })
    expect((await troubleFrom(other.run('abc'))).status).toBe(503)
    expect(waits).toEqual([3000])
    other.close()
  })
  test('a POST that is no search is sent once', async () => {
    const { url, seen } = await nasty(like((_, response) => response.writeHead(503).end()))
    const server = await open(url)
    const before = seen.length
    await troubleFrom(server.call('POST', '/api/2.0/mlflow/runs/create', { json: {} }))
    expect(seen.length - before).toBe(1)
    server.close()
  })
  test('a connection that is reset is tried again', async () => {
    let connections = 0
    const url = await nastySocket((socket) => {
      connections += 1
      socket.on('error', () => {}).once('data', () => socket.resetAndDestroy())
    })
    expect((await troubleFrom(open(url))).kind).toBe('unreachable')
    expect(connections).toBe(4)
  })
  test('where nothing listens, one more look is enough', async () => {
    const { sleep, waits } = noSleep()
    const trouble = await troubleFrom(openServer(readSettings(envFor(await nobody())), { sleep }))
    expect(trouble).toMatchObject({ kind: 'unreachable', why: expect.stringContaining('nothing listens') })
    expect(waits).toHaveLength(1)
  })
})

describe('no MLflow at all (throw-away server)', () => {
  test('a name that does not resolve', async () => {
    const trouble = await troubleFrom(open('http://mlflow.invalid'))
    expect(trouble).toMatchObject({ kind: 'unreachable', why: expect.stringContaining('cannot be resolved') })
  })
  test('another protocol', async () => {
    const url = await nastySocket((socket) => socket.on('error', () => {}).end('SSH-2.0-OpenSSH_9.2\r\n'))
    expect(await troubleFrom(open(url))).toMatchObject({
      kind: 'unexpected-answer',
      why: expect.stringContaining('HTTP'),
    })
  })
  test('https where there is no TLS', async () => {
    const { url } = await nasty(json({}))
    expect((await troubleFrom(open(url.replace('http:', 'https:')))).why).toContain('does not speak TLS')
  })
})

describe('ids of others never reach a path', () => {
  test.each(['../../x', 'a/b', '', '.', 'a?b', 'a%2Fb', 'x'.repeat(300)])('%j', async (id) => {
    const { url, seen } = await nasty(like(json({})))
    const server = await open(url)
    const before = seen.length
    expect((await troubleFrom(server.run(id))).kind).toBe('usage')
    expect((await troubleFrom(server.model(id))).kind).toBe('usage')
    expect((await troubleFrom(server.setModelReady(id))).kind).toBe('usage')
    expect(seen.length).toBe(before)
    server.close()
  })
  test('a path that leaves its place is a defect of the caller', async () => {
    const { url } = await nasty(like(json({})))
    const server = await open(url)
    await expect(server.call('GET', '/api/2.0/../../x')).rejects.toThrow(RangeError)
    await expect(server.call('GET', '/api/%2e%2e/x')).rejects.toThrow(RangeError)
    server.close()
  })
})

test('calls go through the proxy that HTTP_PROXY names, and straight where NO_PROXY says so (a throw-away proxy)', async () => {
  const [proxy, target] = [await nasty(json({})), await nasty(json({}))]
  const settings = readSettings(envFor(target.url))
  for (const env of [{ HTTP_PROXY: proxy.url }, { HTTP_PROXY: proxy.url, NO_PROXY: '127.0.0.0/8' }]) {
    const http = openHttp(settings, undefined, env)
    await http.json('GET', '/api/x')
    http.close()
  }
  expect(proxy.seen.map(({ url }) => url)).toEqual([`${target.url}/api/x`])
  expect(target.seen.map(({ url }) => url)).toEqual(['/api/x'])
})

describe('a server that stalls after its headers (throw-away server)', () => {
  const stalling: RequestListener = (_, response) => void response.writeHead(200).write('half')
  const stalled = { timeoutMs: 100, retry: false }
  test.each(['text', 'bytes'] as const)('%s gives up in time', async (kind) => {
    const { url } = await nasty(stalling)
    const http = openHttp(readSettings(envFor(url)), noSleep().sleep, {})
    const work = kind === 'text' ? http.text('GET', '/api/x', stalled) : http.bytes('GET', '/api/x', 10, stalled)
    expect(await troubleFrom(work)).toMatchObject({
      kind: 'unreachable',
      why: expect.stringContaining('within 100 ms'),
    })
    http.close()
  })
  test('the signal of the caller ends it', async () => {
    const { url } = await nasty(stalling)
    const http = openHttp(readSettings(envFor(url)), noSleep().sleep, {})
    const stop = new AbortController()
    const work = http.bytes('GET', '/api/x', 10, { signal: stop.signal })
    setTimeout(() => stop.abort(new Error('interrupted')), 50)
    await expect(work).rejects.toThrow('interrupted')
    http.close()
  })
  test('a body that flows slowly is no stall', async () => {
    const { url } = await nasty((_, response) => {
      let left = 6
      const timer = setInterval(() => {
        left -= 1
        if (left > 0) return void response.write('x')
        clearInterval(timer)
        response.end('x')
      }, 60)
    })
    const http = openHttp(readSettings(envFor(url)), noSleep().sleep, {})
    expect((await http.bytes('GET', '/api/x', 10, { timeoutMs: 250 })).bytes.toString()).toBe('xxxxxx')
    http.close()
  })
  test('a body without end is read as far as wanted', async () => {
    const { url } = await nasty((_, response) => {
      const pour = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536)));
        response.once('drain', pour)
      }
      pour()
    })
    const http = openHttp(readSettings(envFor(url)), noSleep().sleep, {})
    expect((await http.bytes('GET', '/api/x', 1000)).bytes.length).toBe(1000)
    http.close()
  })
})
