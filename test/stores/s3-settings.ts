import { randomBytes } from 'node:crypto'
import { CreateBucketCommand, type S3Client } from '@aws-sdk/client-s3'
import { vi } from 'vitest'
import { readSettings } from '../../src/mlflow/settings.ts'
import type { Settings } from '../../src/mlflow/types.ts'
import { parseS3Uri, s3Store } from '../../src/stores/s3.ts'
import { connectS3 } from '../../src/stores/s3-client.ts'
import type { Store } from '../../src/stores/store.ts'

/** A store of the lab, as far as these tests need it. */
export interface S3Place {
  readonly endpoint: string
  readonly accessKey: string
  readonly secretKey: string
  readonly region: string
  readonly env: Record<string, string>
}

/** Settings as a user with these variables would have them. The SDK's credential chain reads the process's own environment, so they are set there as well. */
export const settingsWith = (env: Readonly<Record<string, string>>, trackingUri = 'http://127.0.0.1:9'): Settings => {
  const all = { AWS_EC2_METADATA_DISABLED: 'true', AWS_PROFILE: '', HOME: '/nonexistent', ...env }
  for (const [name, value] of Object.entries(all)) vi.stubEnv(name, value)
  return readSettings({ env: { ...all, MLFLOW_TRACKING_URI: trackingUri }, cwd: '/nonexistent', home: '/nonexistent' })
}

export const openS3 = async (env: Readonly<Record<string, string>>, uri: string, pageSize?: number): Promise<Store> => {
  const settings = settingsWith(env)
  return s3Store(await connectS3(settings), parseS3Uri(uri), settings, 'test', pageSize)
}

export const freshBucket = async (sdk: S3Client): Promise<string> => {
  const Bucket = `stores-${randomBytes(5).toString('hex')}`
  await sdk.send(new CreateBucketCommand({ Bucket }))
  return Bucket
}
