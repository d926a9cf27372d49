import { expect, test } from 'vitest'
import { workerAllows } from '../../../checks/proxy/products/patience.ts'
import type { Seen } from '../../../checks/proxy/products/product.ts'
import { recognise } from '../../../checks/proxy/products/recognise.ts'
import { products } from '../../../checks/proxy/products/table.ts'

test.each<[string, Seen, readonly string[]]>([
  ['nginx', { software: 'nginx/1.22.1' }, ['nginx']],
  ['OpenResty', { software: 'openresty' }, ['nginx']],
  ['Apache', { software: 'Apache/2.4.62 (Debian)' }, ['Apache']],
  ['lighttpd is no httpd', { software: 'lighttpd/1.4.76' }, []],
  ['IIS', { software: 'Microsoft-IIS/10.0' }, ['IIS']],
  ['Envoy', { software: 'envoy' }, ['Envoy']],
  ['Envoy by its header', { software: 'uvicorn', traces: { 'x-envoy-upstream-service-time': '3' } }, ['Envoy']],
  ['Istio', { software: 'istio-envoy', traces: { 'x-envoy-upstream-service-time': '3' } }, ['Istio']],
  ['Caddy', { software: 'uvicorn', traces: { via: '1.1 Caddy' } }, ['Caddy']],
  ['HAProxy by its page', { software: 'uvicorn', answered: [undefined, 'haproxy'] }, ['HAProxy']],
  ['Traefik by its page', { answered: ['Traefik'] }, ['Traefik']],
  ['Cloudflare', { software: 'cloudflare', traces: { 'cf-ray': '8a-FRA' } }, ['Cloudflare']],
  ['CloudFront', { traces: { via: '1.1 x.cloudfront.net (CloudFront)' } }, ['Amazon CloudFront']],
  ['API Gateway', { host: 'a1.execute-api.eu-west-1.amazonaws.com' }, ['Amazon API Gateway']],
  ['ALB', { host: 'ml-1.eu-west-1.elb.amazonaws.com' }, ['AWS Application Load Balancer']],
  ['ALB by its answer', { answered: ['awselb/2.0'] }, ['AWS Application Load Balancer']],
  [
    'Google load balancer',
    { software: 'nginx', traces: { via: '1.1 google' } },
    ['nginx', 'Google Cloud load balancer'],
  ],
  ['Cloud Run', { software: 'Google Frontend', host: 'ml-x.a.run.app' }, ['Google Cloud Run']],
  ['Application Gateway', { software: 'Microsoft-Azure-Application-Gateway/v2' }, ['Azure Application Gateway']],
  ['Front Door', { traces: { 'x-azure-ref': '2026' } }, ['Azure Front Door']],
  ['a direct server', { software: 'uvicorn', traces: {}, host: 'mlflow.example.org' }, []],
  ['nothing', {}, []],
])('%s', (_, seen, names) => {
  expect(recognise(seen).map(({ product }) => product.name)).toEqual(names)
})

test('every figure has its source, and every line holds the value that is asked for', () => {
  for (const { name, size, times } of products) {
    for (const { source, lines, usual, most, text } of [...times]) {
      expect(source, name).toMatch(/^https:\/\//)
      for (const line of lines?.(251) ?? []) expect(line, name).toContain('251')
      expect(most ?? Number.POSITIVE_INFINITY, name).toBeGreaterThan(usual ?? 0)
      expect(text(251), name).toMatch(/\.$/)
    }
    if (size === undefined) continue
    expect(size.source, name).toMatch(/^https:\/\//)
    expect(size.text, name).toMatch(/\.$/)
  }
})

test('braces in lines stand where Caddy takes them: at the end of a line, or alone', () => {
  const lines = products.flatMap(({ size }) => size?.lines?.(5_000_000) ?? [])
  expect(lines.filter((line) => line.includes('{') && !line.endsWith('{'))).toEqual([])
  expect(lines).toContain('    max_size 5000000')
})

test.each([
  [3100, 3000],
  [3990, 3000],
  [4040, 3000],
  [30_600, 30_000],
  [400, 1000],
])('a worker that was ended after %d ms is allowed %d ms', (ended, allowed) => {
  expect(workerAllows(ended)).toBe(allowed)
})
