import { randomBytes } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { goProgram } from './go.ts'
import { onFreePorts } from './ports.ts'
import { serve } from './running.ts'
import { s3Client, s3Env } from './s3.ts'
import { freshDir } from './scratch.ts'
import type { S3Server } from './seaweed.ts'

/**
 * versitygw 1.8.0 over a folder: the second S3 store, right where SeaweedFS is not (part checksums in ListParts, parts sent
 * twice). Keys `a` and `a/b` exclude each other; pages of uploads beyond the first do not work. Throws LabMissing without Go.
 * `data` holds a folder for each bucket, and in it a file for each object.
 */
export async function startVersitygw(): Promise<S3Server & { readonly data: string }> {
  const binary = await goProgram('versitygw')
  return onFreePorts(1, async (port) => {
    const dir = await freshDir('vgw')
    // The name of the versions' folder must not begin with the name of the data's.
    const [data, versions, iam] = ['data', 'old', 'iam'].map((name) => join(dir, name))
    if (data === undefined || versions === undefined || iam === undefined) throw new Error('three folders')
    for (const path of [data, versions, iam]) await mkdir(path)
    const access = {
      endpoint: `http://127.0.0.1:${port}`,
      accessKey: 'labadmin',
      secretKey: 'labadminsecret',
      region: 'us-east-1',
    }
    const client = s3Client(access)
    const running = await serve({
      name: 'versitygw',
      command: [
        binary,
        ...['--port', `127.0.0.1:${port}`, '--virtual-domain', 's3.localhost'],
        // Without it an unknown access key is answered with 404 in place of 403.
        ...['--iam-dir', iam],
        ...['posix', '--versioning-dir', versions, data],
      ],
      env: { ROOT_ACCESS_KEY: access.accessKey, ROOT_SECRET_KEY: access.secretKey },
      dir,
      answers: async () => {
        await client.makeBucket('lab-ready')
        await client.removeBucket('lab-ready', [])
        return true
      },
    })
    const bucket = () => client.makeBucket(`lab-${randomBytes(5).toString('hex')}`)
    return { ...running, ...access, env: s3Env(access), bucket, data }
  })
}
