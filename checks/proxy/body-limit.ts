import { defineCheck, type Remedy } from '../../src/check.ts'
import { bodyLimit, plannedUpload, route } from '../../src/needs/declarations.ts'
import { bytes, count, exactBytes } from '../../src/words.ts'

const MiB = 1024 ** 2

/** MLflow packs a batch of metrics and parameters into a JSON request of up to 10^6 bytes (MAX_BATCH_LOG_REQUEST_SIZE in utils/validation.py, 3.17.2). */
const largestJson = 1_000_000

export default defineCheck({
  id: 'proxy/body-limit',
  title: 'No proxy refuses requests of the size that uploads have',
  severity: 'warning',
  on: ['check'],
  answers: ['limits'],
  needs: [bodyLimit, route],
  wants: [plannedUpload],
  facts: { accepted: 'bytes', refused: 'bytes', status: 'count', refusedBy: 'text', partsFrom: 'bytes' },
  explain: {
    measures:
      "Declares request bodies of different sizes on the experiment's artifact path (POST with Content-Length and Expect: 100-continue) and sends none of them, until the largest accepted and the smallest refused size are one byte apart. Nothing is stored. This finds limits that are judged by declared size, as nginx, Apache, Traefik, IIS and others do; what counts bytes only as they arrive is not seen.",
    breaks:
      'A proxied upload is one PUT of the whole file. Above the limit the proxy answers 413, MLflow does not retry, and the model is marked as failed after its small files were stored. Parts by signed URLs go to the store and not through this proxy, but only for files of at least MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE (500 MiB unless set).',
    remedy:
      'Raise the limit in the proxy that was recognised, on the artifact location; where the server signs parts, lower MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE in the client below the limit.',
  },
  async *run({ bodyLimit: limit, route, plannedUpload: plan }) {
    if (limit.unmeasured !== undefined) {
      yield {
        kind: 'gap',
        at: route.firstHop,
        cannot: 'see',
        because: `${limit.unmeasured}, so a limit on request bodies cannot be measured without sending as many bytes: ask whoever runs the proxy`,
        unexpected: false,
        about: 'limits',
      }
      return
    }
    if (limit.seenThrough === false) {
      yield {
        kind: 'gap',
        at: route.firstHop,
        cannot: 'see',
        because:
          'a proxy on the way takes whole bodies before it passes anything on, so a tighter limit behind it, or one that counts bytes as they arrive, does not show before the upload',
        unexpected: false,
        about: 'limits',
      }
    }
    if (limit.refused === undefined) return
    const by = limit.refusedBy ?? 'something on the way that does not give its name'
    const parts = route.multipart ? route.multipartMinimum : undefined
    const single = plan?.files.filter((file) => parts === undefined || file.bytes < parts).map((file) => file.bytes)
    const asked = single === undefined ? parts : largest(single)
    // The advice must never lower what stands there, nor bar the API: a plan that goes in parts alone asks for nothing.
    const wanted = asked === undefined ? undefined : Math.max(asked, largestJson, limit.accepted)
    const product = productOf(limit.refusedBy)
    const remedy = remedyFor(product, wanted, route.multipart && limit.accepted > 0 ? limit.accepted : undefined)
    yield {
      kind: 'limit',
      hop: 'proxy',
      setting: product?.setting ?? 'request body size',
      scope: 'request',
      max: { bytes: limit.accepted },
      basis: 'measured',
      routes: ['proxied-put'],
      because: `${by} refuses a declared size of ${exactBytes(limit.refused)}${limit.status === undefined ? '' : ` with ${limit.status}`}`,
      remedy: () => remedy,
    }
    const facts = {
      accepted: limit.accepted,
      refused: limit.refused,
      ...(limit.status !== undefined && { status: limit.status }),
      ...(limit.refusedBy !== undefined && { refusedBy: limit.refusedBy }),
      ...(parts !== undefined && { partsFrom: parts }),
    }
    if (limit.accepted < largestJson) {
      yield {
        kind: 'finding',
        at: route.firstHop,
        says: `requests above ${exactBytes(limit.accepted)} are refused by ${by}; if that holds for the API as well, even batches of metrics and parameters fail, which take up to ${exactBytes(largestJson)}`,
        facts,
        remedy,
      }
      return
    }
    const tooLarge = single?.filter((size) => size > limit.accepted)
    const refuses = `requests above ${exactBytes(limit.accepted)} are refused by ${by}`
    const says =
      tooLarge === undefined
        ? parts === undefined
          ? `${refuses}, and every file goes in one request: a larger one fails with 413`
          : limit.accepted < parts
            ? `${refuses}, and files go in parts only from ${bytes(parts)} on: one in between fails with 413`
            : undefined
        : tooLarge.length > 0
          ? `${refuses}, and ${count(tooLarge.length, 'planned file')} of up to ${bytes(largest(tooLarge))} would go in one request`
          : undefined
    if (says !== undefined) yield { kind: 'finding', at: route.firstHop, says, facts, remedy }
  },
})

/** 0 for none. Plans have hundreds of thousands of files, more than a call takes arguments. */
const largest = (sizes: readonly number[]): number => sizes.reduce((most, size) => Math.max(most, size), 0)

interface Product {
  readonly setting: string
  /** The configuration for bodies of so many bytes; for any size when undefined. */
  readonly lines?: (bytes: number | undefined) => readonly string[]
  readonly text: string
}

/** The largest value of settings that are 32 bits wide (IIS, Envoy). */
const uint32 = 2 ** 32 - 1
const mebibytes = (n: number | undefined): string => (n === undefined ? '0' : `${Math.ceil(n / MiB)}m`)

const products: readonly (readonly [RegExp, Product])[] = [
  [
    /nginx|openresty|tengine/i,
    {
      setting: 'client_max_body_size',
      lines: (n) => [`client_max_body_size ${mebibytes(n)};`],
      text: 'Put this into the location of nginx that passes artifacts on; for ingress-nginx it is the annotation nginx.ingress.kubernetes.io/proxy-body-size.',
    },
  ],
  [
    /apache|httpd/i,
    {
      setting: 'LimitRequestBody',
      lines: (n) => [`LimitRequestBody ${n ?? 0}`],
      text: "Put this into Apache's <Location> that passes artifacts on.",
    },
  ],
  [
    /haproxy/i,
    {
      setting: 'http-request deny',
      text: 'HAProxy has no size limit of its own: look for an http-request deny rule on content-length or req.body_size, and raise the figure in it.',
    },
  ],
  [
    /traefik/i,
    {
      setting: 'maxRequestBodyBytes',
      lines: (n) => [`traefik.http.middlewares.NAME.buffering.maxRequestBodyBytes=${n ?? 0}`],
      text: "Raise it in Traefik's buffering middleware on this route.",
    },
  ],
  [
    /envoy|istio/i,
    {
      setting: 'max_request_bytes',
      lines: (n) => (n !== undefined && n <= uint32 ? [`max_request_bytes: ${n}`] : []),
      text: "Raise it in Envoy's buffer filter on this route, or take the filter out: it holds whole bodies in memory and ends at 4 GiB.",
    },
  ],
  [
    /caddy/i,
    {
      setting: 'max_size',
      lines: (n) => (n === undefined ? [] : [`request_body { max_size ${n} }`]),
      text: "Raise it in Caddy's request_body.",
    },
  ],
  [
    /iis/i,
    {
      setting: 'maxAllowedContentLength',
      lines: (n) => [`<requestLimits maxAllowedContentLength="${Math.min(n ?? uint32, uint32)}" />`],
      text: 'Put this into web.config under system.webServer/security/requestFiltering; it ends at 4 GiB.',
    },
  ],
  [
    /cloudflare/i,
    {
      setting: 'Cloudflare upload limit',
      text: 'The limit belongs to the Cloudflare plan: give the server a DNS name that Cloudflare does not proxy for uploads.',
    },
  ],
  [
    /api gateway|awselb|amazon/i,
    {
      setting: 'AWS payload limit',
      text: 'The payload limit of an API Gateway or a Lambda target is fixed: lead uploads through a load balancer with instances as targets.',
    },
  ],
  [
    /google front/i,
    {
      setting: 'Cloud Run request size',
      text: 'Cloud Run takes at most 32 MiB over HTTP/1, and that is fixed: lead uploads round it.',
    },
  ],
  [
    /application-gateway/i,
    {
      setting: 'maxRequestBodySizeInKb',
      text: "Raise the maximum request body size and the file upload limit in the Application Gateway's WAF policy.",
    },
  ],
]

const productOf = (by: string | undefined): Product | undefined =>
  by === undefined ? undefined : products.find(([pattern]) => pattern.test(by))?.[1]

const remedyFor = (product: Product | undefined, wanted: number | undefined, partsFrom: number | undefined): Remedy => {
  const size = wanted === undefined ? 'the largest file that is to be logged' : bytes(wanted)
  const text =
    product?.text ??
    `Ask whoever runs the proxy in front of the tracking server to take request bodies of ${size} on the artifact path.`
  const lines = product?.lines?.(wanted) ?? []
  if (partsFrom === undefined) return { text, ...(lines.length > 0 && { commands: lines }) }
  return {
    text: `${text} Or have smaller files go to the store in parts, past the proxy: set MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE in the client no higher than the limit.`,
    commands: [...lines, `export MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE=${partsFrom}`],
  }
}
