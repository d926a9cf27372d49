import { afterAll, describe, test } from 'vitest'
import { LabMissing, s3Sdk, shared, startVersitygw } from '../lab/index.ts'
import { storeContract } from './contract.ts'
import { freshBucket, openS3 } from './s3-settings.ts'

const abilities = { resumes: true, lists: true, proves: true }

const { seaweed } = shared()
const onSeaweed = await freshBucket(s3Sdk(seaweed))
storeContract('SeaweedFS', { ...abilities, open: () => openS3(seaweed.env, `s3://${onSeaweed}/some/root`) })
storeContract('SeaweedFS, at the root of a bucket', {
  ...abilities,
  open: async () => openS3(seaweed.env, `s3://${rootBucket}`),
})
const rootBucket = await freshBucket(s3Sdk(seaweed))

const gateway = await startVersitygw().catch((error: unknown) => {
  if (error instanceof LabMissing) return error
  throw error
})
if (gateway instanceof LabMissing) {
  describe('the store contract on versitygw', () => {
    test('is tried', (context) => context.skip(gateway.message))
  })
} else {
  afterAll(() => gateway.stop())
  const bucket = await gateway.bucket()
  storeContract('versitygw', { ...abilities, open: () => openS3(gateway.env, `s3://${bucket}/some/root`) })
}
