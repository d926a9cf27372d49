import { randomBytes } from 'node:crypto'
import { goProgram } from './go.ts'
import { onFreePorts } from './ports.ts'
import { type Running, serve } from './running.ts'
import { s3Client, s3Env } from './s3.ts'
import { freshDir, removeDir } from './scratch.ts'
import type { S3Server } from './seaweed.ts'

type Minio = Omit<S3Server, keyof Running> & {
  /** Ends it and brings it up again, on the same port and with the same data. */
  restart(): Promise<void>
  stop(): Promise<void>
}

/**
 * MinIO over one drive, for what no other store does: it lists an unfinished upload only by its exact key. Throws
 * LabMissing without Go.
 */
export async function startMinio(): Promise<Minio> {
  const binary = await goProgram('minio')
  return onFreePorts(1, async (port) => {
    const data = await freshDir('minio-data')
    const access = {
      endpoint: `http://127.0.0.1:${port}`,
      accessKey: 'labadmin',
      secretKey: 'labadminsecret',
      region: 'us-east-1',
    }
    const client = s3Client(access)
    const start = async () =>
      serve({
        name: 'minio',
        command: [binary, 'server', '--address', `127.0.0.1:${port}`, '--quiet', data],
        env: {
          MINIO_ROOT_USER: access.accessKey,
          MINIO_ROOT_PASSWORD: access.secretKey,
          MINIO_BROWSER: 'off',
          // Neither asks for newer releases nor tells anybody that it runs.
          MINIO_UPDATE: 'off',
        },
        dir: await freshDir('minio'),
        answers: async () => {
          await client.makeBucket('lab-ready')
          await client.removeBucket('lab-ready', [])
          return true
        },
      })
    let running = await start()
    return {
      ...access,
      env: s3Env(access),
      bucket: () => client.makeBucket(`lab-${randomBytes(5).toString('hex')}`),
      restart: async () => {
        await running.stop()
        running = await start()
      },
      stop: async () => {
        await running.stop()
        await removeDir(data)
      },
    }
  })
}
