/**
 * The deployments and the uploads. Limits are scaled down to seconds and megabytes, so that a cell takes seconds. Cells of
 * `npm test` are marked `usual`; `npm run matrix` runs all.
 */
import type { Cell, Front, Link, Site, TrueLimit } from './types.ts'

const MB = 1_000_000
const MiB = 2 ** 20

const folder: Site = { store: 'folder' }
const folderGunicorn: Site = { store: 'folder', engine: 'gunicorn' }
const old: Site = { store: 'folder', version: '2.22.1' }
const s3: Site = { store: 'seaweed' }
const s3Gunicorn: Site = { store: 'seaweed', engine: 'gunicorn' }
const oldS3: Site = { store: 'seaweed', version: '2.22.1' }
const versity: Site = { store: 'versitygw' }
const direct: Site = { store: 'seaweed', direct: true }
const smallTemp: Site = { store: 'seaweed', serverTemp: 20 * MiB }
const smallDisk: Site = { store: 'folder', storeDisk: 20 * MiB }
const hiddenStore: Site = { store: 'seaweed', hiddenStore: true }
/** The server takes 3 s to bring 24 MB to its store. */
const slowRelay: Link = { bytesPerSecond: 8 * MB }
const slowS3: Site = { store: 'seaweed', relay: slowRelay }
const impatient: Site = { ...folderGunicorn, gunicornOpts: '--timeout 2' }
const patient: Site = { ...folderGunicorn, gunicornOpts: '--timeout 20' }

const slow: Link = { bytesPerSecond: 8 * MB }
/** For runs without a size on lines that take seconds for a few megabytes. */
const little = { traffic: 32 * MB }

const nginx = (lines: string, location?: string): readonly Front[] => [
  { nginx: lines, ...(location !== undefined && { location }) },
]
const nginxOpen = (lines = '', location?: string): readonly Front[] =>
  nginx(`client_max_body_size 0; ${lines}`, location)
const haproxy = (given: { defaults?: string; frontend?: string; backend?: string }): readonly Front[] => [
  { haproxy: given },
]
const unbuffered = 'proxy_request_buffering off; proxy_http_version 1.1;'

const whole = { MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD: 'false' }
const partsFrom = (bytes: number, chunk?: number) => ({
  MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE: String(bytes),
  ...(chunk !== undefined && { MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE: String(chunk) }),
})

const bodySize = (bytes: number): TrueLimit => ({ hop: 'proxy', setting: /client_max_body_size/, bytes })
const denied: TrueLimit = { hop: 'proxy', setting: /http-request deny/, bytes: 10 * MB }
const haproxyRule = 'http-request deny deny_status 413 if { req.hdr_val(content-length) gt 10000000 }'
const readTimeout: TrueLimit = { hop: 'proxy', setting: /proxy_read_timeout/, ms: 2000 }
const timeoutServer: TrueLimit = { hop: 'proxy', setting: /timeout server/, ms: 2000 }
/** gunicorn looks at its workers once a second. */
const workerTimeout: TrueLimit = { hop: 'server', setting: /--timeout/, ms: 2000, coarse: 1500 }
const clientTimeout: TrueLimit = { hop: 'client', setting: /MLFLOW_HTTP_REQUEST_TIMEOUT/, ms: 2000 }
const bodyTimeout: TrueLimit = { hop: 'proxy', setting: /client_body_timeout/, ms: 2000 }
const access: TrueLimit = { hop: 'relay', setting: /access to its store/ }
const serverTemp: TrueLimit = { hop: 'server', setting: /TMPDIR/ }
const storeDisk: TrueLimit = { hop: 'store', setting: /disk/ }
const bodyDisk: TrueLimit = { hop: 'proxy', setting: /client_body_temp_path/ }
const clientTemp: TrueLimit = { hop: 'host', setting: /TMPDIR/ }
const fileSize: TrueLimit = { hop: 'host', setting: /ulimit/ }
const chunkSize: TrueLimit = { hop: 'client', setting: /MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE/ }
const signedHost: TrueLimit = { hop: 'network', setting: /signed/ }
const perConnection: TrueLimit = { hop: 'network', setting: /bytes that one connection carries/ }

const plain: readonly Cell[] = [
  { name: 'folder', site: folder, size: 30 * MB, upload: 'passes', usual: true },
  { name: 'folder, gunicorn', site: folderGunicorn, size: 30 * MB, upload: 'passes' },
  { name: 'folder, MLflow 2.22.1', site: old, size: 30 * MB, upload: 'passes', usual: true },
  { name: 'folder, MLflow 3.2.0', site: { ...folder, version: '3.2.0' }, size: 30 * MB, upload: 'passes' },
  { name: 'folder, MLflow 3.14.0', site: { ...folder, version: '3.14.0' }, size: 30 * MB, upload: 'passes' },
  { name: 'folder, MLflow 3.11.1', site: { ...folder, version: '3.11.1' }, size: 60 * MB, upload: 'passes' },
  { name: 'folder, log_model', site: folder, as: 'log_model', size: 12 * MB, upload: 'passes' },
  { name: 'folder behind nginx', site: folder, fronts: nginxOpen(), size: 30 * MB, upload: 'passes' },
  { name: 'folder behind haproxy', site: folder, fronts: haproxy({}), size: 30 * MB, upload: 'passes' },
  { name: 'folder over a slow line', site: folder, uplink: slow, ...little, size: 24 * MB, upload: 'passes' },
  {
    name: 'folder behind nginx over a slow line',
    site: folder,
    fronts: nginxOpen(),
    uplink: slow,
    ...little,
    size: 24 * MB,
    upload: 'passes',
    usual: true,
  },
  { name: 'S3, whole', site: s3, env: whole, size: 30 * MB, upload: 'passes', usual: true },
  { name: 'S3, whole, gunicorn', site: s3Gunicorn, env: whole, size: 30 * MB, upload: 'passes' },
  { name: 'S3, whole, MLflow 2.22.1', site: oldS3, size: 30 * MB, upload: 'passes' },
  { name: 'S3, parts', site: s3, env: partsFrom(10 * MiB), size: 30 * MB, upload: 'passes' },
  { name: 'S3, parts, gunicorn', site: s3Gunicorn, env: partsFrom(10 * MiB), size: 30 * MB, upload: 'passes' },
  {
    name: 'S3, parts, log_model',
    site: s3,
    as: 'log_model',
    env: partsFrom(10 * MiB),
    size: 12 * MB,
    upload: 'passes',
  },
  { name: 'S3, slow relay', site: slowS3, env: whole, ...little, size: 24 * MB, upload: 'passes' },
  {
    name: 'S3, slow relay, slow line, nginx',
    site: slowS3,
    fronts: nginxOpen(),
    uplink: { bytesPerSecond: 12 * MB },
    env: whole,
    ...little,
    size: 18 * MB,
    upload: 'passes',
  },
  { name: 'versitygw, whole', site: versity, env: whole, size: 30 * MB, upload: 'passes' },
  { name: 'versitygw, parts', site: versity, env: partsFrom(10 * MiB), size: 30 * MB, upload: 'passes' },
  { name: 'S3 itself', site: direct, size: 30 * MB, upload: 'passes', usual: true },
  { name: 'S3 itself, API behind a body limit', site: direct, fronts: nginx(''), size: 30 * MB, upload: 'passes' },
]

const haproxyDeny = haproxy({ frontend: haproxyRule })
const onLocation = nginx(
  'client_max_body_size 100m; location /api/2.0/mlflow-artifacts/ { client_max_body_size 5m; proxy_pass UPSTREAM; }',
)
const innerPassed: readonly Front[] = [...nginxOpen('', unbuffered), ...nginx('client_max_body_size 10m;')]
const innerHidden: readonly Front[] = [...nginxOpen(), ...nginx('client_max_body_size 10m;')]
const tenMiB = nginx('client_max_body_size 10m;')

const bodyLimits: readonly Cell[] = [
  {
    name: 'nginx body limit, a byte too large',
    site: folder,
    fronts: tenMiB,
    size: 10 * MiB + 1,
    upload: 'fails',
    limit: bodySize(10 * MiB),
    usual: true,
  },
  {
    name: 'nginx body limit, just as large',
    site: folder,
    fronts: tenMiB,
    size: 10 * MiB,
    upload: 'passes',
    limit: bodySize(10 * MiB),
    usual: true,
  },
  {
    name: "nginx' own body limit",
    site: s3,
    fronts: nginx(''),
    env: whole,
    size: 3 * MB,
    upload: 'fails',
    limit: bodySize(MiB),
  },
  {
    name: 'nginx body limit, log_model',
    site: folder,
    fronts: tenMiB,
    as: 'log_model',
    size: 12 * MB,
    upload: 'fails',
    limit: bodySize(10 * MiB),
  },
  {
    name: 'nginx body limit, unbuffered, too large',
    site: s3,
    fronts: nginx('client_max_body_size 10m;', unbuffered),
    env: whole,
    size: 10 * MiB + 1,
    upload: 'fails',
    limit: bodySize(10 * MiB),
  },
  {
    name: 'nginx body limit, unbuffered, just as large',
    site: s3,
    fronts: nginx('client_max_body_size 10m;', unbuffered),
    env: whole,
    size: 10 * MiB,
    upload: 'passes',
    limit: bodySize(10 * MiB),
  },
  {
    name: 'nginx body limit, MLflow 2.22.1, too large',
    site: old,
    fronts: tenMiB,
    size: 20 * MB,
    upload: 'fails',
    limit: bodySize(10 * MiB),
  },
  {
    name: 'nginx body limit, MLflow 2.22.1, small enough',
    site: old,
    fronts: tenMiB,
    size: 9 * MB,
    upload: 'passes',
    limit: bodySize(10 * MiB),
  },
  {
    name: 'nginx body limit, gunicorn, too large',
    site: folderGunicorn,
    fronts: tenMiB,
    size: 20 * MB,
    upload: 'fails',
    limit: bodySize(10 * MiB),
  },
  {
    name: 'nginx body limit on artifacts alone, too large',
    site: folder,
    fronts: onLocation,
    size: 6 * MB,
    upload: 'fails',
    limit: bodySize(5 * MiB),
  },
  {
    name: 'nginx body limit on artifacts alone, small enough',
    site: folder,
    fronts: onLocation,
    size: 5 * MiB,
    upload: 'passes',
    limit: bodySize(5 * MiB),
  },
  {
    name: 'haproxy size rule, too large',
    site: folder,
    fronts: haproxyDeny,
    size: 10 * MB + 1,
    upload: 'fails',
    limit: denied,
    usual: true,
  },
  {
    name: 'haproxy size rule, just as large',
    site: folder,
    fronts: haproxyDeny,
    size: 10 * MB,
    upload: 'passes',
    limit: denied,
  },
  {
    name: 'body limit behind a proxy that passes bodies on, too large',
    site: folder,
    fronts: innerPassed,
    size: 11 * MB,
    upload: 'fails',
    limit: bodySize(10 * MiB),
  },
  {
    name: 'body limit behind a proxy that passes bodies on, small enough',
    site: folder,
    fronts: innerPassed,
    size: 10 * MB,
    upload: 'passes',
    limit: bodySize(10 * MiB),
  },
  {
    name: 'body limit behind a proxy that buffers, too large',
    site: folder,
    fronts: innerHidden,
    size: 12 * MB,
    upload: 'fails',
    limit: { hop: 'proxy', setting: /size/ },
  },
  {
    name: 'body limit behind a proxy that buffers, small enough',
    site: folder,
    fronts: innerHidden,
    size: 10 * MB,
    upload: 'passes',
  },
  {
    name: 'parts pass under a body limit',
    site: s3,
    fronts: nginx(''),
    env: partsFrom(10 * MiB),
    size: 30 * MB,
    upload: 'passes',
    usual: true,
  },
  {
    name: 'below the parts, above the body limit',
    site: s3,
    fronts: nginx(''),
    env: partsFrom(10 * MiB),
    size: 6 * MB,
    upload: 'fails',
    limit: bodySize(MiB),
  },
  {
    name: 'parts that are switched off meet a body limit',
    site: s3,
    fronts: nginx(''),
    env: { ...partsFrom(10 * MiB), ...whole },
    size: 20 * MB,
    upload: 'fails',
    limit: bodySize(MiB),
  },
  {
    name: 'parts of a folder store meet a body limit',
    site: folder,
    fronts: nginx(''),
    env: partsFrom(10 * MiB),
    size: 20 * MB,
    upload: 'fails',
    limit: bodySize(MiB),
  },
  {
    name: 'an old client sends whole files',
    site: s3,
    fronts: nginx(''),
    env: partsFrom(10 * MiB),
    client: '2.22.1',
    size: 20 * MB,
    upload: 'fails',
    limit: bodySize(MiB),
  },
]

/** A pause of 3 s early in the body, so that canaries of a fifth meet it, too. */
const pausing: Link = { pause: { after: 200_000, ms: 3000 } }

const timeouts: readonly Cell[] = [
  {
    name: 'nginx read time-out, slow relay, too short',
    site: slowS3,
    fronts: nginxOpen('proxy_read_timeout 2s;'),
    env: whole,
    size: 24 * MB,
    upload: 'fails',
    limit: readTimeout,
    ...little,
    usual: true,
  },
  {
    name: 'nginx read time-out, slow relay, long enough',
    site: slowS3,
    fronts: nginxOpen('proxy_read_timeout 20s;'),
    env: whole,
    size: 24 * MB,
    upload: 'passes',
    ...little,
    usual: true,
  },
  {
    name: 'nginx read time-out, unbuffered, too short',
    site: slowS3,
    fronts: nginxOpen('proxy_read_timeout 2s;', unbuffered),
    env: whole,
    size: 24 * MB,
    upload: 'fails',
    limit: readTimeout,
    ...little,
  },
  {
    name: 'nginx read time-out, slow steady line',
    site: folder,
    fronts: nginxOpen('proxy_read_timeout 2s; client_body_timeout 2s;'),
    uplink: slow,
    size: 24 * MB,
    upload: 'passes',
    ...little,
  },
  {
    name: 'nginx read time-out, store answers late, too short',
    site: { ...s3, relay: { latency: 3000 } },
    fronts: nginxOpen('proxy_read_timeout 2s;'),
    env: whole,
    size: 3 * MB,
    upload: 'fails',
    limit: readTimeout,
    never: true,
    ...little,
  },
  {
    name: 'nginx read time-out, store answers late, long enough',
    site: { ...s3, relay: { latency: 500 } },
    fronts: nginxOpen('proxy_read_timeout 10s;'),
    env: whole,
    size: 6 * MB,
    upload: 'passes',
    ...little,
  },
  {
    name: 'nginx body time-out, a pause that is too long',
    site: folder,
    fronts: nginxOpen('client_body_timeout 2s;'),
    uplink: pausing,
    size: 10 * MB,
    upload: 'fails',
    limit: bodyTimeout,
    deep: true,
    ...little,
    usual: true,
  },
  {
    name: 'nginx body time-out, a pause that is short enough',
    site: folder,
    fronts: nginxOpen('client_body_timeout 10s;'),
    uplink: pausing,
    size: 10 * MB,
    upload: 'passes',
    ...little,
    usual: true,
  },
  {
    name: 'haproxy server time-out, slow relay, too short',
    site: slowS3,
    fronts: haproxy({ defaults: 'timeout server 2s' }),
    env: whole,
    size: 24 * MB,
    upload: 'fails',
    limit: timeoutServer,
    deep: true,
    ...little,
    usual: true,
  },
  {
    name: 'haproxy server time-out, slow relay, long enough',
    site: slowS3,
    fronts: haproxy({ defaults: 'timeout server 20s' }),
    env: whole,
    size: 24 * MB,
    upload: 'passes',
    ...little,
  },
  {
    name: 'haproxy server time-out, a pause in the body',
    site: folder,
    fronts: haproxy({ defaults: 'timeout server 2s' }),
    uplink: pausing,
    size: 10 * MB,
    upload: 'fails',
    limit: timeoutServer,
    deep: true,
    ...little,
  },
  {
    name: 'haproxy client time-out, a pause in the body',
    site: folder,
    fronts: haproxy({ defaults: 'timeout client 2s' }),
    uplink: pausing,
    size: 10 * MB,
    upload: 'passes',
    ...little,
  },
  {
    name: 'haproxy server time-out, slow steady line',
    site: folder,
    fronts: haproxy({ defaults: 'timeout server 2s' }),
    uplink: slow,
    size: 24 * MB,
    upload: 'passes',
    ...little,
  },
  {
    name: 'gunicorn worker time-out, slow line, too short',
    site: impatient,
    uplink: { bytesPerSecond: 4 * MB },
    size: 40 * MB,
    upload: 'fails',
    limit: workerTimeout,
    deep: true,
    traffic: 53 * MB,
    usual: true,
  },
  {
    name: 'gunicorn worker time-out, slow line, long enough',
    site: patient,
    uplink: slow,
    size: 24 * MB,
    upload: 'passes',
    ...little,
  },
  {
    name: 'gunicorn worker time-out, slow line behind a buffering nginx',
    site: impatient,
    fronts: nginxOpen(),
    uplink: slow,
    size: 24 * MB,
    upload: 'passes',
    ...little,
  },
  {
    name: 'gunicorn worker time-out, slow relay, too short',
    site: { ...slowS3, engine: 'gunicorn', gunicornOpts: '--timeout 2' },
    env: whole,
    size: 40 * MB,
    upload: 'fails',
    limit: workerTimeout,
    deep: true,
    traffic: 53 * MB,
  },
  {
    name: 'gunicorn worker time-out, slow relay, long enough',
    site: { ...slowS3, engine: 'gunicorn', gunicornOpts: '--timeout 20' },
    env: whole,
    size: 24 * MB,
    upload: 'passes',
    ...little,
  },
  {
    name: 'gunicorn worker time-out, MLflow 2.22.1, too short',
    site: { ...old, gunicornOpts: '--timeout 2' },
    uplink: { bytesPerSecond: 4 * MB },
    size: 40 * MB,
    upload: 'fails',
    limit: workerTimeout,
    deep: true,
    traffic: 53 * MB,
  },
  {
    name: 'client time-out, slow relay, too short',
    site: slowS3,
    env: { ...whole, MLFLOW_HTTP_REQUEST_TIMEOUT: '2' },
    size: 24 * MB,
    upload: 'fails',
    limit: clientTimeout,
    ...little,
    usual: true,
  },
  {
    name: 'client time-out, slow relay, long enough',
    site: slowS3,
    env: { ...whole, MLFLOW_HTTP_REQUEST_TIMEOUT: '20' },
    size: 24 * MB,
    upload: 'passes',
    ...little,
  },
  {
    name: 'client time-out, slow steady line',
    site: folder,
    uplink: slow,
    env: { MLFLOW_HTTP_REQUEST_TIMEOUT: '2' },
    size: 24 * MB,
    upload: 'passes',
    ...little,
  },
]

const disks: readonly Cell[] = [
  {
    name: 'server temp disk, too large',
    site: smallTemp,
    env: whole,
    size: 30 * MB,
    upload: 'fails',
    limit: serverTemp,
    usual: true,
  },
  { name: 'server temp disk, small enough', site: smallTemp, env: whole, size: 12 * MB, upload: 'passes', usual: true },
  {
    name: 'server temp disk is not needed for parts',
    site: smallTemp,
    env: partsFrom(10 * MiB),
    size: 30 * MB,
    upload: 'passes',
  },
  {
    name: 'server temp disk is not needed for folders',
    site: { ...folder, serverTemp: 20 * MiB },
    size: 30 * MB,
    upload: 'passes',
  },
  {
    name: 'server temp disk, gunicorn, too large',
    site: { ...smallTemp, engine: 'gunicorn' },
    env: whole,
    size: 30 * MB,
    upload: 'fails',
    limit: serverTemp,
  },
  {
    name: 'disk of the folder store, too large',
    site: smallDisk,
    size: 30 * MB,
    upload: 'fails',
    limit: storeDisk,
  },
  { name: 'disk of the folder store, small enough', site: smallDisk, size: 12 * MB, upload: 'passes' },
  {
    name: 'nginx body disk, too large',
    site: folder,
    fronts: [{ nginx: 'client_max_body_size 0;', bodyDisk: 20 * MiB }],
    size: 30 * MB,
    upload: 'fails',
    limit: bodyDisk,
    usual: true,
  },
  {
    name: 'nginx body disk, small enough',
    site: folder,
    fronts: [{ nginx: 'client_max_body_size 0;', bodyDisk: 20 * MiB }],
    size: 12 * MB,
    upload: 'passes',
    usual: true,
  },
  {
    name: 'nginx body disk is not needed unbuffered',
    site: folder,
    fronts: [{ nginx: 'client_max_body_size 0;', bodyDisk: 20 * MiB, location: unbuffered }],
    size: 30 * MB,
    upload: 'passes',
  },
  {
    name: 'client temp disk, log_model, too large',
    site: folder,
    as: 'log_model',
    clientTemp: 20 * MiB,
    size: 30 * MB,
    upload: 'fails',
    limit: clientTemp,
    usual: true,
  },
  {
    name: 'client temp disk, log_model, small enough',
    site: folder,
    as: 'log_model',
    clientTemp: 20 * MiB,
    size: 12 * MB,
    upload: 'passes',
  },
  {
    name: 'client temp disk, log_artifact',
    site: folder,
    clientTemp: 5 * MiB,
    size: 30 * MB,
    upload: 'passes',
  },
  {
    name: 'ulimit -f, log_model, too large',
    site: folder,
    as: 'log_model',
    fileSizeLimit: 10 * MiB,
    size: 12 * MB,
    upload: 'fails',
    limit: fileSize,
    usual: true,
  },
  {
    name: 'ulimit -f, log_model, small enough',
    site: folder,
    as: 'log_model',
    fileSizeLimit: 10 * MiB,
    size: 8 * MB,
    upload: 'passes',
  },
  { name: 'ulimit -f, log_artifact', site: folder, fileSizeLimit: 10 * MiB, size: 30 * MB, upload: 'passes' },
]

const noServe: Site = { ...folder, args: ['--no-serve-artifacts', '--default-artifact-root', 'mlflow-artifacts:/'] }

const mayNotRemove = 'who may not remove must not write, so whether writing is granted is not tried'

const stores: readonly Cell[] = [
  {
    name: 'parts below 5 MiB',
    site: s3,
    env: partsFrom(5 * MB, MiB),
    size: 12 * MB,
    upload: 'fails',
    limit: chunkSize,
    never: true,
    usual: true,
  },
  { name: 'parts above 5 MiB', site: s3, env: partsFrom(5 * MB, 6 * MiB), size: 14 * MB, upload: 'passes' },
  { name: 'one part below 5 MiB', site: s3, env: partsFrom(500_000, MiB), size: 900_000, upload: 'passes' },
  {
    name: 'parts below 5 MiB, versitygw',
    site: versity,
    env: partsFrom(5 * MB, MiB),
    size: 12 * MB,
    upload: 'fails',
    limit: chunkSize,
    never: true,
  },
  {
    name: 'signed host out of reach, parts',
    site: hiddenStore,
    env: partsFrom(10 * MiB),
    size: 12 * MB,
    upload: 'fails',
    limit: signedHost,
    never: true,
    usual: true,
  },
  {
    name: 'signed host out of reach, whole',
    site: hiddenStore,
    env: partsFrom(10 * MiB),
    size: 8 * MB,
    upload: 'passes',
    usual: true,
  },
  {
    name: 'signed host out of reach, parts switched off',
    site: hiddenStore,
    env: whole,
    size: 12 * MB,
    upload: 'passes',
  },
  {
    name: 'artifacts are not served',
    site: noServe,
    size: 5 * MB,
    upload: 'fails',
    limit: { hop: 'server', setting: /serve-artifacts/ },
    never: true,
  },
  {
    name: 'server with a wrong secret',
    site: { ...s3, access: 'wrong secret' },
    env: whole,
    size: 5 * MB,
    upload: 'fails',
    limit: access,
    never: true,
    usual: true,
  },
  {
    name: 'server with a wrong secret, parts',
    site: { ...s3, access: 'wrong secret' },
    env: partsFrom(5 * MB),
    size: 12 * MB,
    upload: 'fails',
    never: true,
  },
  {
    name: 'server without a bucket',
    site: { ...s3, access: 'no bucket' },
    env: whole,
    size: 5 * MB,
    upload: 'fails',
    limit: access,
    never: true,
  },
  {
    name: 'server that may only read',
    site: { ...s3, access: 'read only' },
    env: whole,
    size: 5 * MB,
    upload: 'fails',
    limit: access,
    never: true,
  },
  {
    name: 'server that may only write',
    site: { ...s3, access: 'write only' },
    env: whole,
    size: 5 * MB,
    upload: 'passes',
    unknown: { full: mayNotRemove, fifth: mayNotRemove, capacity: mayNotRemove },
  },
  {
    name: 'client with a wrong secret',
    site: direct,
    env: { AWS_SECRET_ACCESS_KEY: 'wrong' },
    size: 12 * MB,
    upload: 'fails',
    limit: { hop: 'store', setting: /./ },
    never: true,
  },
  {
    name: 'client that may only read',
    site: direct,
    env: { AWS_ACCESS_KEY_ID: 'labreader', AWS_SECRET_ACCESS_KEY: 'labreadersecret' },
    size: 12 * MB,
    upload: 'fails',
    limit: { hop: 'store', setting: /./ },
    never: true,
    usual: true,
  },
  {
    name: 'client that may only write',
    site: direct,
    env: { AWS_ACCESS_KEY_ID: 'labwriter', AWS_SECRET_ACCESS_KEY: 'labwritersecret' },
    size: 12 * MB,
    upload: 'passes',
  },
  {
    name: 'line that is cut after 10 MB, too large',
    site: folder,
    uplink: { cutAfter: 10 * MB },
    size: 15 * MB,
    upload: 'fails',
    limit: perConnection,
    usual: true,
  },
  {
    name: 'line that is cut after 10 MB, small enough',
    site: folder,
    uplink: { cutAfter: 10 * MB },
    size: 8 * MB,
    upload: 'passes',
  },
]

const azure: Site = { store: 'azurite' }
const azureItself: Site = { store: 'azurite', direct: true }
const google: Site = { store: 'gcs' }
const googleItself: Site = { store: 'gcs', direct: true }
/** 20 s are what azure-storage-blob gives one request. */
const toAzureSlowly: Site = { ...azureItself, relay: { bytesPerSecond: 1.2 * MB } }
const toAzureSlower: Site = { ...azureItself, relay: { bytesPerSecond: 4 * MB } }
const toGoogleSlowly: Site = { ...googleItself, relay: { bytesPerSecond: 4 * MB } }
const twoSeconds = { MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT: '2' }
const chunks = (bytes: number) => ({ MLFLOW_GCS_UPLOAD_CHUNK_SIZE: String(bytes) })
const azureSocket: TrueLimit = { hop: 'client', setting: /connection_timeout/, ms: 20_000 }
const googleTimeout: TrueLimit = { hop: 'client', setting: /MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT/, ms: 2000 }
/** Azurite refuses the tenth block of MLflow's. */
const blockNames: TrueLimit = { hop: 'server', setting: /block names/, bytes: 9 * 5 * MiB }

const clouds: readonly Cell[] = [
  { name: 'Azure, whole', site: azure, env: whole, size: 30 * MB, upload: 'passes' },
  { name: 'Azure, parts', site: azure, env: partsFrom(10 * MiB), size: 30 * MB, upload: 'passes', usual: true },
  {
    name: 'Azure, parts, one too many',
    site: azure,
    env: partsFrom(10 * MiB, 5 * MiB),
    size: 9 * 5 * MiB + 1,
    upload: 'fails',
    limit: blockNames,
  },
  {
    name: 'Azure, parts, just as many',
    site: azure,
    env: partsFrom(10 * MiB, 5 * MiB),
    size: 9 * 5 * MiB,
    upload: 'passes',
    limit: blockNames,
  },
  {
    name: 'Azure behind a body limit, whole',
    site: azure,
    env: whole,
    fronts: tenMiB,
    size: 12 * MB,
    upload: 'fails',
    limit: bodySize(10 * MiB),
  },
  {
    name: 'Azure behind a body limit, parts',
    site: azure,
    env: partsFrom(8 * MiB),
    fronts: tenMiB,
    size: 12 * MB,
    upload: 'passes',
  },
  {
    name: 'Azure, parts, signed for a host that only the server knows',
    site: { ...azure, hiddenStore: true },
    env: partsFrom(8 * MiB),
    size: 12 * MB,
    upload: 'fails',
    limit: signedHost,
    never: true,
    usual: true,
  },
  {
    name: 'Azure, server with a wrong key',
    site: { ...azure, access: 'wrong secret' },
    env: whole,
    size: 5 * MB,
    upload: 'fails',
    limit: access,
    never: true,
  },
  { name: 'Azure itself', site: azureItself, size: 30 * MB, upload: 'passes', usual: true },
  { name: 'Azure itself, log_model', site: azureItself, as: 'log_model', size: 12 * MB, upload: 'passes' },
  { name: 'Azure itself, blocks', site: azureItself, size: 80 * MB, upload: 'passes' },
  {
    name: 'Azure itself, slow line, short enough',
    site: toAzureSlower,
    ...little,
    size: 20 * MB,
    upload: 'passes',
  },
  {
    name: 'Azure itself, slow line, one request too long',
    site: toAzureSlowly,
    traffic: 8 * MB,
    size: 40 * MB,
    upload: 'fails',
    limit: azureSocket,
  },
  {
    name: 'Azure itself, client with a wrong key',
    site: { ...azureItself, access: 'wrong secret' },
    size: 12 * MB,
    upload: 'fails',
    limit: { hop: 'store', setting: /./ },
    never: true,
  },
  {
    name: 'Azure itself, a signature that may only read',
    site: { ...azureItself, access: 'read only' },
    size: 12 * MB,
    upload: 'fails',
    limit: { hop: 'store', setting: /./ },
    never: true,
    usual: true,
  },
  { name: 'Google, whole', site: google, env: whole, size: 20 * MB, upload: 'passes' },
  {
    name: 'Google, slow relay',
    site: { ...google, relay: slowRelay },
    env: whole,
    ...little,
    size: 16 * MB,
    upload: 'passes',
  },
  {
    name: 'Google, parts that the server cannot sign',
    site: google,
    env: partsFrom(8 * MiB),
    size: 12 * MB,
    upload: 'fails',
    limit: { hop: 'server', setting: /signing of parts/ },
    never: true,
    usual: true,
  },
  {
    name: 'Google behind a body limit, whole',
    site: google,
    env: whole,
    fronts: tenMiB,
    size: 12 * MB,
    upload: 'fails',
    limit: bodySize(10 * MiB),
  },
  {
    name: 'Google, server without a bucket',
    site: { ...google, access: 'no bucket' },
    env: whole,
    size: 5 * MB,
    upload: 'fails',
    limit: access,
    never: true,
  },
  { name: 'Google itself', site: googleItself, size: 20 * MB, upload: 'passes', usual: true },
  { name: 'Google itself, small chunks', site: googleItself, env: chunks(MiB), size: 20 * MB, upload: 'passes' },
  { name: 'Google itself, log_model', site: googleItself, as: 'log_model', size: 10 * MB, upload: 'passes' },
  {
    name: 'Google itself, slow line, a chunk too long for its time-out',
    site: toGoogleSlowly,
    env: twoSeconds,
    ...little,
    size: 20 * MB,
    upload: 'fails',
    limit: googleTimeout,
  },
  {
    name: 'Google itself, slow line, small chunks',
    site: toGoogleSlowly,
    env: { ...twoSeconds, ...chunks(MiB) },
    ...little,
    size: 20 * MB,
    upload: 'passes',
    usual: true,
  },
  {
    name: 'Google itself, slow line, no time-out',
    site: toGoogleSlowly,
    env: { MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT: '-1' },
    ...little,
    size: 20 * MB,
    upload: 'passes',
  },
  {
    name: 'Google itself, without a bucket',
    site: { ...googleItself, access: 'no bucket' },
    size: 12 * MB,
    upload: 'fails',
    limit: { hop: 'store', setting: /./ },
    never: true,
  },
]

export const cells: readonly Cell[] = [...plain, ...bodyLimits, ...timeouts, ...disks, ...stores, ...clouds]
