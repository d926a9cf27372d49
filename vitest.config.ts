import { defineConfig } from 'vitest/config'

// Two tiers: `quick` starts no server; `lab` runs against the real servers that test/lab/ brings up once for all files.
export default defineConfig({
  test: {
    projects: [
      { test: { name: 'quick', include: ['test/**/*.test.ts'], exclude: ['test/**/*.lab.test.ts'] } },
      {
        test: {
          name: 'lab',
          include: ['test/**/*.lab.test.ts'],
          globalSetup: ['test/lab/global-setup.ts'],
          // Real servers on two cores: a hang must end, a slow machine must not fail.
          testTimeout: 300_000,
          hookTimeout: 300_000,
          maxWorkers: 2,
        },
      },
    ],
  },
})
