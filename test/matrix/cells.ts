import type { Cell, Site } from './types.ts'

const MB = 1_000_000
const MiB = 2 ** 20

const folder: Site = { store: 'folder' }
const s3: Site = { store: 'seaweed' }
const slowS3: Site = { store: 'seaweed', relay: { bytesPerSecond: 4 * MB } }

const whole = { MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD: 'false' }
const partsFrom = (bytes: number) => ({ MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE: String(bytes) })

const bodyLimit = (bytes: number) => ({ hop: 'proxy', setting: /client_max_body_size/, bytes })

export const cells: readonly Cell[] = [
  { name: 'folder, nothing in front', site: folder, size: 30 * MB, upload: 'passes', usual: true },
  {
    name: 'nginx body limit, one byte too large',
    site: folder,
    fronts: [{ nginx: 'client_max_body_size 10m;' }],
    size: 10 * MiB + 1,
    upload: 'fails',
    limit: bodyLimit(10 * MiB),
    usual: true,
  },
  {
    name: 'nginx body limit, exactly as large',
    site: folder,
    fronts: [{ nginx: 'client_max_body_size 10m;' }],
    size: 10 * MiB,
    upload: 'passes',
    limit: bodyLimit(10 * MiB),
    usual: true,
  },
  { name: 'S3, whole files', site: s3, env: whole, size: 30 * MB, upload: 'passes', usual: true },
  {
    name: 'S3, signed parts past a body limit',
    site: s3,
    fronts: [{ nginx: 'client_max_body_size 1m;' }],
    env: partsFrom(10 * MiB),
    size: 30 * MB,
    upload: 'passes',
    usual: true,
  },
  {
    name: 'nginx read time-out, slow relay',
    site: slowS3,
    fronts: [{ nginx: 'client_max_body_size 0; proxy_read_timeout 3s;' }],
    env: whole,
    size: 30 * MB,
    upload: 'fails',
    limit: { hop: 'proxy', setting: /proxy_read_timeout/, ms: 3000 },
    deep: true,
    traffic: 40 * MB,
    usual: true,
  },
  {
    name: 'gunicorn worker time-out, slow uplink',
    site: { store: 'folder', engine: 'gunicorn', gunicornOpts: '--timeout 3' },
    uplink: { bytesPerSecond: 4 * MB },
    size: 30 * MB,
    upload: 'fails',
    limit: { hop: 'server', setting: /timeout/, ms: 3000 },
    deep: true,
    traffic: 40 * MB,
    usual: true,
  },
  {
    name: 'server temp disk too small',
    site: { store: 'seaweed', serverTemp: 20 * MiB },
    env: whole,
    size: 30 * MB,
    upload: 'fails',
    limit: { hop: 'server', setting: /TMPDIR/ },
    usual: true,
  },
]
