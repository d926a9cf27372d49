import { defineConfig } from 'vitest/config'

// Four tiers: `quick` starts no process; `cli` runs the command line in processes of its own, without servers; `lab` runs against the real servers that test/lab/ brings up once for all files; `matrix`, after them, proves forecasts against real uploads.
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'quick',
          // A hang must end, a slow machine must not fail.
          testTimeout: 60_000,
          include: ['test/**/*.test.ts'],
          exclude: ['test/**/*.{lab,matrix,minio}.test.ts', 'test/cli/**'],
        },
      },
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
      {
        test: {
          name: 'matrix',
          include: ['test/**/*.matrix.test.ts'],
          // Beside other tests of the lab, what uploads take would tell nothing.
          sequence: { groupOrder: 1 },
          // A cell waits for all that go before it.
          testTimeout: 3_600_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
})
