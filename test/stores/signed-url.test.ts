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
