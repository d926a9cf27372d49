import { ListMultipartUploadsCommand, ListObjectsV2Command } from '@aws-sdk/client-s3'
import type { TestProject } from 'vitest/node'
import { startMlflow } from './mlflow.ts'
import { prepare } from './prepare.ts'
import type { Running } from './running.ts'
import { type S3Access, s3Sdk } from './s3.ts'
import { startSeaweed } from './seaweed.ts'

/** Installs what the tests need and starts what they share; the function it gives stops that. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const started: Running[] = []
  let leftovers = async (): Promise<string[]> => []
  const stop = async () => {
    await Promise.all(started.map((server) => server.stop()))
  }
  try {
    await prepare()
    const begun = Date.now()
    const keep = async <T extends Running>(server: Promise<T>): Promise<T> => {
      const running = await server
      started.push(running)
      return running
    }
    const folderServer = keep(startMlflow())
    const weed = await keep(startSeaweed())
    const bucket = await weed.bucket()
    const destination = `s3://${bucket}/mlflow`
    const [s3, folder] = await Promise.all([
      keep(startMlflow({ artifactsDestination: destination, env: weed.env })),
      folderServer,
    ])
    await mustOfferMultipart(s3.url)
    leftovers = () => canariesIn(weed, bucket)
    const { endpoint, accessKey, secretKey, region, env } = weed
    project.provide('lab', {
      seaweed: { endpoint, accessKey, secretKey, region, env },
      mlflowS3: { url: s3.url, bucket, destination },
      mlflowFolder: { url: folder.url, destination: folder.destination },
    })
    console.log(`lab: shared servers up in ${Math.round((Date.now() - begun) / 1000)} s`)
  } catch (error) {
    await stop()
    throw error
  }
  return async () => {
    const left = await leftovers()
    await stop()
    if (left.length > 0) throw new Error(`the tests left canaries in the store: ${left.join(', ')}`)
  }
}

/** Probes must leave nothing behind, whatever the tests did to them in the middle: the store is asked when all is over. */
async function canariesIn(access: S3Access, bucket: string): Promise<string[]> {
  const sdk = s3Sdk(access)
  const { Uploads = [] } = await sdk.send(new ListMultipartUploadsCommand({ Bucket: bucket }))
  const { Contents = [] } = await sdk.send(new ListObjectsV2Command({ Bucket: bucket }))
  return [...Uploads, ...Contents].flatMap(({ Key }) => (Key?.includes('.mlflow-doctor-canary') ? [Key] : []))
}

async function mustOfferMultipart(url: string): Promise<void> {
  const response = await fetch(`${url}/api/3.0/mlflow/server-info`)
  const info: unknown = await response.json()
  if (
    typeof info !== 'object' ||
    info === null ||
    !('multipart_uploads_enabled' in info) ||
    !info.multipart_uploads_enabled
  )
    throw new Error(`the shared MLflow server does not offer multipart uploads: ${JSON.stringify(info)}`)
}
