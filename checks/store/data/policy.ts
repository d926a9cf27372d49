/** One IAM policy for what MLflow and this tool do in a bucket. */

const onBucket = ['s3:ListBucket', 's3:ListBucketMultipartUploads']
const onObjects = [
  's3:PutObject',
  's3:GetObject',
  's3:DeleteObject',
  's3:AbortMultipartUpload',
  's3:ListMultipartUploadParts',
]

interface Place {
  readonly name: string
  readonly prefix: string
  readonly region: string
  readonly bucketRegion?: string
  readonly encryption: { readonly told: { readonly key?: string } | undefined } | { readonly untold: unknown }
}

/** docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html */
const partitionOf = (region: string): string =>
  region.startsWith('cn-') ? 'aws-cn' : region.startsWith('us-gov-') ? 'aws-us-gov' : 'aws'

/** A policy document in one line of JSON, without what nobody needs here. `missing` adds the rights on the key that encrypts the bucket. */
export const policyFor = (
  { name, prefix, region, bucketRegion = region, encryption }: Place,
  missing: readonly string[],
): string => {
  const arn = `arn:${partitionOf(region)}:s3:::${name}`
  const key = ('told' in encryption && encryption.told?.key) || undefined
  const onKey = missing.some((action) => action.startsWith('kms:'))
  const viaS3 = { Condition: { StringEquals: { 'kms:ViaService': `s3.${bucketRegion}.amazonaws.com` } } }
  return JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      { Effect: 'Allow', Action: onBucket, Resource: arn },
      { Effect: 'Allow', Action: onObjects, Resource: [arn, prefix, '*'].filter((part) => part !== '').join('/') },
      ...(onKey
        ? [
            {
              Effect: 'Allow',
              Action: ['kms:GenerateDataKey', 'kms:Decrypt'],
              // An alias names a key only within its own account, so it is no resource.
              ...(key?.startsWith('arn:') ? { Resource: key } : { Resource: '*', ...viaS3 }),
            },
          ]
        : []),
    ],
  })
}
