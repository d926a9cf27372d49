import {
  BucketAlreadyOwnedByYou,
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'

/** How to reach an S3 store of the lab. */
export interface S3Access {
  readonly endpoint: string
  readonly accessKey: string
  readonly secretKey: string
  readonly region: string
}

/** The variables by which MLflow, boto3 and the tool under test find the store. */
export function s3Env(access: S3Access): Record<string, string> {
  return {
    AWS_ACCESS_KEY_ID: access.accessKey,
    AWS_SECRET_ACCESS_KEY: access.secretKey,
    AWS_DEFAULT_REGION: access.region,
    MLFLOW_S3_ENDPOINT_URL: access.endpoint,
  }
}

/** The SDK's own client, for looking at a store independently of the code under test. */
export function s3Sdk(access: S3Access): S3Client {
  return new S3Client({
    endpoint: access.endpoint,
    region: access.region,
    forcePathStyle: true,
    maxAttempts: 1,
    credentials: { accessKeyId: access.accessKey, secretAccessKey: access.secretKey },
  })
}

/** The few calls that the lab itself makes. */
export function s3Client(access: S3Access) {
  const sdk = s3Sdk(access)
  return {
    makeBucket: async (name: string) => {
      await sdk.send(new CreateBucketCommand({ Bucket: name })).catch((error: unknown) => {
        if (!(error instanceof BucketAlreadyOwnedByYou)) throw error
      })
      return name
    },
    put: (bucket: string, key: string, body: Uint8Array) =>
      sdk.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body })),
    removeBucket: async (bucket: string, keys: readonly string[]) => {
      for (const key of keys) await sdk.send(new DeleteObjectCommand({ Bucket: bucket, Key: key }))
      await sdk.send(new DeleteBucketCommand({ Bucket: bucket }))
    },
  }
}
