import { defineConfig } from 'vitest/config'

// Apart from `npm test`: MinIO takes minutes to build, and is here for one habit alone.
export default defineConfig({
  test: {
    name: 'minio',
    include: ['test/**/*.minio.test.ts'],
    testTimeout: 300_000,
    // The first run builds it.
    hookTimeout: 3_600_000,
  },
})
