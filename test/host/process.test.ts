import { afterEach, expect, test, vi } from 'vitest'
import { startByPs } from '../../src/host/process.ts'

afterEach(() => vi.unstubAllEnvs())

test('when a process began reads the same in every time zone and language', async () => {
  const here = await startByPs(process.pid)
  expect(here).toBeDefined()
  vi.stubEnv('TZ', 'Asia/Tokyo')
  vi.stubEnv('LC_ALL', 'de_DE.UTF-8')
  expect(await startByPs(process.pid)).toBe(here)
})
