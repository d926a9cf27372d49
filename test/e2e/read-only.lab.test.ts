/** `--read-only` against real servers, with a proxy that notes every request on either hop. */
import { expect, test } from 'vitest'
import { examined } from '../doctor.ts'
import { shared } from '../lab/index.ts'
import { expectValid } from '../schema.ts'
import { type Seen, watchingProxy } from '../watching-proxy.ts'
import { home } from './story.ts'

const writes = (seen: readonly Seen[]): string[] =>
  seen.flatMap(({ method, url }) => {
    const path = url.split('?')[0] ?? ''
    const harmless = method === 'GET' || method === 'HEAD' || (method === 'POST' && path.endsWith('/search'))
    return harmless ? [] : [`${method} ${url}`]
  })

test.each([
  ['the server signs parts, and this machine holds no credentials', false],
  ['the store is opened with this machine’s credentials', true],
  ['an experiment whose location is the store', 'direct'],
  ['an experiment in a folder', 'folder'],
] as const)('--read-only writes nothing and says what it therefore does not know: %s', async (_, how) => {
  const { mlflowS3, mlflowFolder, seaweed } = shared()
  const tracking = await watchingProxy(how === 'folder' ? mlflowFolder.url : mlflowS3.url)
  const store = await watchingProxy(seaweed.endpoint)
  const credentials = how === true || how === 'direct'
  try {
    const name = `read-only-${Math.random().toString(36).slice(2)}`
    if (how === 'direct') {
      const made = await fetch(`${mlflowS3.url}/api/2.0/mlflow/experiments/create`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ name, artifact_location: `s3://${mlflowS3.bucket}/${name}` }),
      })
      expect(made.status).toBe(200)
    }
    const env = {
      ...(await home()),
      ...(credentials ? { ...seaweed.env, MLFLOW_S3_ENDPOINT_URL: store.url } : {}),
      MLFLOW_TRACKING_URI: tracking.url,
    }
    const more = [
      ...(how === true ? ['--artifacts-destination', mlflowS3.destination] : []),
      ...(how === 'direct' ? ['--experiment', name] : []),
    ]
    for (const plan of [['--size', '1GiB'], ['--size', '1000'], []]) {
      const report = await examined(['check', '--read-only', ...plan, ...more], { env })
      expectValid(report)
      expect(report.exitCode, JSON.stringify(report, undefined, 1)).toBe(0)
      const skipped = report.checks.filter(({ state }) => state === 'skipped')
      const because = skipped.map(({ id, reason }) => `${id} ${reason}`)
      for (const id of ['proxy/body-limit', 'store/multipart', 'store/leftovers', 'network/transfer']) {
        expect(because).toContainEqual(expect.stringMatching(`^${id} .*--read-only`))
        expect(report.covered.gaps).toContainEqual(
          expect.objectContaining({ because: expect.stringMatching(`^${id} was left out.*not known, therefore: `) }),
        )
      }
      if (plan.length > 0)
        expect(report.forecast).toEqual([
          expect.objectContaining({ verdict: 'unknown', because: expect.stringMatching(/network\/transfer/) }),
        ])
      // What there is no way to know: neither a largest file nor a limit is claimed.
      else expect(report.capacity?.largestFile?.bytes).toBeUndefined()
    }
  } finally {
    await tracking.stop()
    await store.stop()
  }
  expect(tracking.seen.length).toBeGreaterThan(3)
  if (how === 'direct') expect(store.seen.length).toBeGreaterThan(0)
  expect(writes([...tracking.seen, ...store.seen])).toEqual([])
})
