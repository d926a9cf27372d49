import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { environmentProxy, nodeProxy, proxyHeaders, proxyOrigin } from '../../src/probes/environment-proxy.ts'

const through = (url: string, env: Record<string, string>): string | undefined => {
  const proxy = environmentProxy(new URL(url), env)
  return proxy && proxyOrigin(proxy)
}
const p = { HTTP_PROXY: 'http://p:3128', HTTPS_PROXY: 'http://s:3128' }

/** What Python's own reading of the environment says (requests takes it from there). */
const python = (url: string, env: Record<string, string>): string | undefined => {
  const script = [
    'import sys, urllib.request as u, urllib.parse as p',
    'url = p.urlsplit(sys.argv[1])',
    'found = {} if u.proxy_bypass_environment(url.netloc) else u.getproxies_environment()',
    "print(found.get(url.scheme) or found.get('all') or '')",
  ].join('\n')
  const said = execFileSync('python3', ['-c', script, url], {
    env: { PATH: process.env.PATH ?? '', ...env },
    encoding: 'utf8',
  })
  return said.trim() || undefined
}

test.each<[string, Record<string, string>, string | undefined]>([
  ['http://a.corp/', {}, undefined],
  ['http://a.corp/', p, 'http://p:3128'],
  ['https://a.corp/', p, 'http://s:3128'],
  ['http://a.corp/', { HTTP_PROXY: 'http://big:1', http_proxy: 'http://small:1' }, 'http://small:1'],
  ['http://a.corp/', { HTTP_PROXY: 'http://big:1', http_proxy: '' }, undefined],
  ['https://a.corp/', { ALL_PROXY: 'http://all:1' }, 'http://all:1'],
  ['https://a.corp/', { ...p, ALL_PROXY: 'http://all:1' }, 'http://s:3128'],
  ['http://a.corp/', { ...p, NO_PROXY: 'a.corp' }, undefined],
  ['http://a.corp/', { ...p, NO_PROXY: '.corp' }, undefined],
  ['http://a.corp/', { ...p, NO_PROXY: 'b.corp, corp' }, undefined],
  ['http://a.corp/', { ...p, NO_PROXY: 'other' }, 'http://p:3128'],
  ['http://a.corp:81/', { ...p, NO_PROXY: 'a.corp:81' }, undefined],
  ['http://a.corp:81/', { ...p, NO_PROXY: 'a.corp:82' }, 'http://p:3128'],
  ['http://a.corp/', { ...p, NO_PROXY: '*' }, undefined],
  ['http://127.0.0.1:5000/', { ...p, NO_PROXY: 'localhost,127.0.0.1' }, undefined],
])('%s with %j goes through %s, as Python says', (url, env, expected) => {
  expect(through(url, env)).toBe(expected)
  expect(python(url, env)).toBe(expected)
})

test('networks in NO_PROXY, which requests adds to what Python reads', () => {
  expect(through('http://10.1.2.3/', { ...p, NO_PROXY: '10.0.0.0/8' })).toBeUndefined()
  expect(through('http://11.1.2.3/', { ...p, NO_PROXY: '10.0.0.0/8' })).toBe('http://p:3128')
  expect(through('http://192.168.1.129/', { ...p, NO_PROXY: '192.168.1.128/25' })).toBeUndefined()
  expect(through('http://192.168.1.127/', { ...p, NO_PROXY: '192.168.1.128/25' })).toBe('http://p:3128')
})

test.each<[string, string, requests: boolean, botocore: boolean]>([
  ['http://10.1.2.3:5000/', '10.1.2.3:5000', false, true],
  ['http://10.1.2.3:5000/', '10.1.2.3', true, true],
  ['http://a.corp:81/', 'a.corp:81', true, true],
  ['http://notcorp/', 'corp', false, false],
  ['http://10.1.2.3/', '10.0.0.0/8', true, false],
  ['http://[::1]:5000/', '::1', true, false],
  ['http://[::1]:5000/', '[::1]', false, true],
  ['http://a.corp/', '*.corp', false, false],
  ['http://a.corp/', '*, b.corp', false, false],
  ['http://corp/', '.corp', true, true],
])(
  '%s with NO_PROXY=%s goes direct by requests 2.34.2: %s, by botocore 1.44.5: %s (as measured with both)',
  (url, list, ...direct) => {
    const env = { HTTP_PROXY: 'http://p:3128', NO_PROXY: list }
    const libraries = ['requests', 'botocore'] as const
    expect(libraries.map((by) => environmentProxy(new URL(url), env, by) === undefined)).toEqual(direct)
  },
)

test('what the two libraries read differently beside that', () => {
  const empty = { HTTP_PROXY: 'http://p:3128', NO_PROXY: 'a.corp', no_proxy: '' }
  expect(environmentProxy(new URL('http://a.corp/'), empty)).toBeUndefined()
  expect(environmentProxy(new URL('http://a.corp/'), empty, 'botocore')).toBeDefined()
  expect(environmentProxy(new URL('http://a.corp/'), { ALL_PROXY: 'http://p:3128' }, 'botocore')).toBeUndefined()
})

test('user and password go into a header and nowhere else', () => {
  const proxy = environmentProxy(new URL('http://a.corp/'), { http_proxy: 'me:s%40crt@p:3128' })
  if (!proxy) throw new Error('no proxy found')
  expect(proxyOrigin(proxy)).toBe('http://p:3128')
  expect(proxyHeaders(proxy)).toEqual({
    'proxy-authorization': `Basic ${Buffer.from('me:s@crt').toString('base64')}`,
  })
})

test("what Node's agents get is decided before: one proxy, or none", () => {
  const url = new URL('https://mlflow.corp')
  const env = { HTTPS_PROXY: 'p:3128', HTTP_PROXY: 'http://other:1' }
  expect(nodeProxy(url, env, 'requests', true)).toEqual({ HTTP_PROXY: 'http://p:3128/', HTTPS_PROXY: 'http://p:3128/' })
  expect(nodeProxy(url, { ...env, no_proxy: 'corp' }, 'requests', true)).toEqual({})
})

test('a Node whose agents know no proxies says so only where one applies', () => {
  const url = new URL('https://mlflow.corp')
  expect(nodeProxy(url, { HTTP_PROXY: 'p:3128' }, 'requests', false)).toEqual({})
  expect(() => nodeProxy(url, { HTTPS_PROXY: 'p:3128' }, 'requests', false)).toThrow(
    expect.objectContaining({ kind: 'unsupported', why: expect.stringMatching(/HTTPS_PROXY .* cannot use one/) }),
  )
})
