import { defineConfig } from 'vitest/config'

// Three tiers: `quick` starts no process; `cli` runs the command line in processes of its own, without servers; `lab` runs against the real servers that test/lab/ brings up once for all files.
export default defineConfig({
  test: {
    projects: [
      { test: { name: 'quick', include: ['test/**/*.test.ts'], exclude: ['test/**/*.lab.test.ts', 'test/cli/**'] } },
      { test: { name: 'cli', include: ['test/cli/**/*.test.ts'], testTimeout: 60_000 } },
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
