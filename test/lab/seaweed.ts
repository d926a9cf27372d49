import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { onFreePorts } from './ports.ts'
import { type Running, serve } from './running.ts'
import { type S3Access, s3Client, s3Env } from './s3.ts'
import { freshDir } from './scratch.ts'
import { storesPython } from './venv.ts'

export interface Identity {
  readonly name: string
  readonly accessKey: string
  readonly secretKey: string
  /** Such as `Read`, `Write`, `List`, `Tagging`, `Admin`, each for one bucket when written `Read:bucket`. */
  readonly actions: readonly string[]
}

export interface S3Server extends Running, S3Access {
  /** The four variables that a client needs. */
  readonly env: Record<string, string>
  /** Makes a new bucket and gives its name. */
  bucket(): Promise<string>
}

const ADMIN = { name: 'admin', accessKey: 'labadmin', secretKey: 'labadminsecret' }

/** SeaweedFS 4.48: the S3 store of the lab. Wrong about part checksums in ListParts and replaced parts: versitygw for those. */
export async function startSeaweed(options: { identities?: readonly Identity[] } = {}): Promise<S3Server> {
  const weed = join(dirname(await storesPython()), 'weed')
  return onFreePorts(8, async (s3, s3Grpc, master, masterGrpc, volume, volumeGrpc, filer, filerGrpc) => {
    const dir = await freshDir('weed')
    const identities = [
      { ...ADMIN, actions: ['Admin', 'Read', 'Write', 'List', 'Tagging'] },
      ...(options.identities ?? []),
    ]
    const config = join(dir, 'identities.json')
    await writeFile(
      config,
      JSON.stringify({
        identities: identities.map(({ name, accessKey, secretKey, actions }) => ({
          name,
          credentials: [{ accessKey, secretKey }],
          actions,
        })),
      }),
    )
    const access = {
      endpoint: `http://127.0.0.1:${s3}`,
      accessKey: ADMIN.accessKey,
      secretKey: ADMIN.secretKey,
      region: 'us-east-1',
    }
    const client = s3Client(access)
    const flags = {
      ip: '127.0.0.1',
      'ip.bind': '127.0.0.1',
      dir,
      // The default of 0 would do, but a metrics port, like the iceberg and lance ones, is fixed and two instances would clash.
      metricsPort: 0,
      'master.telemetry': false,
      'master.port': master,
      'master.port.grpc': masterGrpc,
      // As many volumes as of this size fit on the disk may be made: small ones, since tests make many buckets.
      'master.volumeSizeLimitMB': 128,
      'volume.port': volume,
      'volume.port.grpc': volumeGrpc,
      // Each bucket takes seven volumes; the default limit of eight is used up by the second bucket.
      'volume.max': 0,
      filer: true,
      'filer.port': filer,
      'filer.port.grpc': filerGrpc,
      s3: true,
      's3.port': s3,
      's3.port.grpc': s3Grpc,
      's3.config': config,
      's3.domainName': 's3.localhost',
      's3.port.iceberg': 0,
      's3.port.lance': 0,
      's3.autoCreateBucket': false,
    }
    const running = await serve({
      name: 'SeaweedFS',
      command: [weed, 'server', ...Object.entries(flags).map(([name, value]) => `-${name}=${value}`)],
      dir,
      // It was seen to ignore SIGTERM for over a minute.
      killOnStop: true,
      answers: async () => {
        // Listing answers before the volumes are there: only a written object says that it is ready.
        await client.makeBucket('lab-ready')
        await client.put('lab-ready', 'ready', Buffer.from('ready'))
        await client.removeBucket('lab-ready', ['ready'])
        return true
      },
    })
    return {
      ...running,
      ...access,
      env: s3Env(access),
      bucket: () => client.makeBucket(`lab-${randomBytes(5).toString('hex')}`),
    }
  })
}
