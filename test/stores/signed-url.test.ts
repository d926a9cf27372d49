import { expect, test } from 'vitest'
import { readSettings } from '../../src/mlflow/settings.ts'
import { signedUrls } from '../../src/stores/signed-url.ts'
import { envFor, nasty } from '../mlflow/nasty.ts'

const opened = (env: Record<string, string> = {}) => signedUrls(readSettings(envFor('http://mlflow.test', env)))

test('a store that sends more than the range asked for is read no further (a throw-away store)', async () => {
  const { url } = await nasty((_, response) => {
    response.writeHead(206)
    const pour = (): void => {
      while (!response.destroyed && response.write(Buffer.alloc(65_536, 1)));
      response.once('drain', pour)
    }
    pour()
  })
  const signed = opened()
  const { bytes } = await signed.range(url, {}, 5, 1000, { what: 'cannot read x' })
  expect(bytes.length).toBe(1000)
  await signed.close()
})

test('signed addresses go through the proxy of the environment, and straight where NO_PROXY says so (throw-away servers)', async () => {
  const [proxy, target] = [
    await nasty((_, response) => response.end('by proxy')),
    await nasty((_, response) => response.end('straight')),
  ]
  const read = async (env: Record<string, string>) => {
    const signed = signedUrls(readSettings(envFor('http://mlflow.test')), env)
    const { bytes } = await signed.range(`${target.url}/x?y=1`, {}, 0, 100, { what: 'cannot read x' })
    await signed.close()
    return Buffer.from(bytes).toString()
  }
  expect(await read({ HTTP_PROXY: proxy.url })).toBe('by proxy')
  expect(proxy.seen[0]?.url).toBe(`${target.url}/x?y=1`)
  // undici and Node know no networks in NO_PROXY; requests does.
  expect(await read({ HTTP_PROXY: proxy.url, NO_PROXY: '127.0.0.0/8' })).toBe('straight')
})
