import type { Product } from './product.ts'

const MiB = 1024 ** 2
/** The largest value of settings that are 32 bits wide (IIS, Envoy). */
const uint32 = 2 ** 32 - 1
const mebibytes = (n: number | undefined): string => (n === undefined ? '0' : `${Math.ceil(n / MiB)}m`)
const s = 1000

const nginxProxy = 'https://nginx.org/en/docs/http/ngx_http_proxy_module.html'
const nginxCore = 'https://nginx.org/en/docs/http/ngx_http_core_module.html'
const haproxyManual = 'https://docs.haproxy.org/2.6/configuration.html'
const envoyTimes = 'https://www.envoyproxy.io/docs/envoy/latest/faq/configuration/timeouts'
const traefikEntry = 'https://doc.traefik.io/traefik/routing/entrypoints/'
const cloudRun = 'https://cloud.google.com/run/docs/configuring/request-timeout'

/**
 * The products that are recognised, more special names first. A figure is what the product does unless told otherwise, by
 * the page in `source`. Those of nginx were measured, as was what haproxy's settings count; the time-outs of Traefik, ALB,
 * Cloudflare, CloudFront, API Gateway, Cloud Run and Envoy were read in their manuals in November 2026. Those of
 * Application Gateway, Front Door, Google's load balancer and Apache rest on secondary pages. All are only assumed.
 */
export const products: readonly Product[] = [
  {
    name: 'nginx',
    server: /nginx|openresty|tengine/i,
    size: {
      setting: 'client_max_body_size',
      usual: MiB,
      lines: (n) => [`client_max_body_size ${mebibytes(n)};`],
      text: 'Put this into the location of nginx that passes artifacts on; for ingress-nginx it is the annotation nginx.ingress.kubernetes.io/proxy-body-size.',
      source: `${nginxCore}#client_max_body_size`,
    },
    times: [
      {
        setting: 'client_body_timeout',
        counts: ['idle'],
        usual: 60 * s,
        lines: (seconds) => [`client_body_timeout ${seconds}s;`],
        text: (seconds) =>
          `Put this into the location of nginx that passes artifacts on; for ingress-nginx it is client-body-timeout: "${seconds}" in the controller's ConfigMap.`,
        source: `${nginxCore}#client_body_timeout`,
      },
      {
        setting: 'proxy_read_timeout',
        counts: ['answer'],
        usual: 60 * s,
        status: 504,
        lines: (seconds) => [`proxy_read_timeout ${seconds}s;`],
        text: (seconds) =>
          `Put this into the location of nginx that passes artifacts on; for ingress-nginx it is the annotation nginx.ingress.kubernetes.io/proxy-read-timeout: "${seconds}".`,
        source: `${nginxProxy}#proxy_read_timeout`,
      },
    ],
  },
  {
    name: 'HAProxy',
    server: /haproxy/i,
    size: {
      setting: 'http-request deny',
      text: 'HAProxy has no size limit of its own: look for an http-request deny rule on content-length or req.body_size, and raise the figure in it.',
      source: haproxyManual,
    },
    times: [
      {
        setting: 'timeout server',
        counts: ['idle', 'answer'],
        status: 504,
        lines: (seconds) => [`timeout server ${seconds}s`],
        text: () => "Put this into HAProxy's backend, or into its defaults.",
        source: `${haproxyManual}#timeout%20server`,
      },
      {
        setting: 'timeout client',
        counts: ['idle'],
        status: 408,
        lines: (seconds) => [`timeout client ${seconds}s`],
        text: () =>
          "Put this into HAProxy's frontend, or into its defaults; with option http-buffer-request it is timeout http-request.",
        source: `${haproxyManual}#timeout%20client`,
      },
    ],
  },
  {
    name: 'Istio',
    server: /istio-envoy/i,
    size: {
      setting: 'max_request_bytes',
      lines: (n) => (n !== undefined && n <= uint32 ? [`max_request_bytes: ${n}`] : []),
      text: "Raise it in Envoy's buffer filter on this route, or take the filter out: it holds whole bodies in memory and ends at 4 GiB.",
      source: 'https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/buffer_filter',
    },
    times: [
      {
        setting: 'stream_idle_timeout',
        counts: ['idle', 'answer'],
        usual: 300 * s,
        lines: (seconds) => [`stream_idle_timeout: ${seconds}s`],
        text: () => "Put this into the gateway's http_connection_manager by an EnvoyFilter.",
        source: envoyTimes,
      },
      {
        setting: 'timeout',
        counts: ['answer'],
        lines: (seconds) => [`timeout: ${seconds}s`],
        text: () => 'Put this into the http route of the VirtualService.',
        source: 'https://istio.io/latest/docs/tasks/traffic-management/request-timeouts/',
      },
    ],
  },
  {
    name: 'Envoy',
    server: /envoy/i,
    traces: { 'x-envoy-upstream-service-time': /./ },
    size: {
      setting: 'max_request_bytes',
      lines: (n) => (n !== undefined && n <= uint32 ? [`max_request_bytes: ${n}`] : []),
      text: "Raise it in Envoy's buffer filter on this route, or take the filter out: it holds whole bodies in memory and ends at 4 GiB.",
      source: 'https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/buffer_filter',
    },
    times: [
      {
        setting: 'timeout of the route',
        counts: ['answer'],
        usual: 15 * s,
        status: 504,
        lines: (seconds) => [`timeout: ${seconds}s`],
        text: () => "Put this into the route action of Envoy's route; for the Gateway API it is timeouts.request.",
        source: envoyTimes,
      },
      {
        setting: 'stream_idle_timeout',
        counts: ['idle', 'answer'],
        usual: 300 * s,
        lines: (seconds) => [`stream_idle_timeout: ${seconds}s`],
        text: () => "Put this into Envoy's http_connection_manager.",
        source: envoyTimes,
      },
    ],
  },
  {
    name: 'Traefik',
    server: /traefik/i,
    size: {
      setting: 'maxRequestBodyBytes',
      lines: (n) => [`traefik.http.middlewares.NAME.buffering.maxRequestBodyBytes=${n ?? 0}`],
      text: "Raise it in Traefik's buffering middleware on this route.",
      source: 'https://doc.traefik.io/traefik/middlewares/http/buffering/',
    },
    times: [
      {
        setting: 'respondingTimeouts.readTimeout',
        counts: ['body'],
        usual: 60 * s,
        lines: (seconds) => [`--entryPoints.NAME.transport.respondingTimeouts.readTimeout=${seconds}s`],
        text: () => "Start Traefik with this, with the entry point's own name.",
        source: traefikEntry,
      },
    ],
  },
  {
    name: 'Caddy',
    server: /caddy/i,
    traces: { via: /\bcaddy\b/i },
    size: {
      setting: 'max_size',
      // A Caddyfile wants the opening brace at the end of its line.
      lines: (n) => (n === undefined ? [] : ['request_body {', `    max_size ${n}`, '}']),
      text: "Raise it in Caddy's request_body.",
      source: 'https://caddyserver.com/docs/caddyfile/directives/request_body',
    },
    times: [
      {
        setting: 'response_header_timeout',
        counts: ['answer'],
        lines: (seconds) => [`response_header_timeout ${seconds}s`],
        text: () => "Put this into the transport http block of Caddy's reverse_proxy.",
        source: 'https://caddyserver.com/docs/caddyfile/directives/reverse_proxy',
      },
    ],
  },
  {
    name: 'Apache',
    server: /apache|\bhttpd\b/i,
    size: {
      setting: 'LimitRequestBody',
      lines: (n) => [`LimitRequestBody ${n ?? 0}`],
      text: "Put this into Apache's <Location> that passes artifacts on.",
      source: 'https://httpd.apache.org/docs/2.4/mod/core.html#limitrequestbody',
    },
    times: [
      {
        setting: 'TimeOut',
        counts: ['idle'],
        usual: 60 * s,
        lines: (seconds) => [`TimeOut ${seconds}`],
        text: () => "Put this into Apache's virtual host.",
        source: 'https://httpd.apache.org/docs/2.4/mod/core.html#timeout',
      },
      {
        setting: 'ProxyTimeout',
        counts: ['answer'],
        usual: 60 * s,
        lines: (seconds) => [`ProxyTimeout ${seconds}`],
        text: () => "Put this into Apache's virtual host.",
        source: 'https://httpd.apache.org/docs/2.4/mod/mod_proxy.html#proxytimeout',
      },
    ],
  },
  {
    name: 'IIS',
    server: /\biis\b/i,
    size: {
      setting: 'maxAllowedContentLength',
      lines: (n) => [`<requestLimits maxAllowedContentLength="${Math.min(n ?? uint32, uint32)}" />`],
      text: 'Put this into web.config under system.webServer/security/requestFiltering; it ends at 4 GiB.',
      source: 'https://learn.microsoft.com/iis/configuration/system.webserver/security/requestfiltering/requestlimits/',
    },
    times: [],
  },
  {
    name: 'Cloudflare',
    server: /cloudflare/i,
    traces: { 'cf-ray': /./ },
    size: {
      setting: 'Cloudflare upload limit',
      // Of the Free and Pro plans; larger plans have more.
      usual: 100_000_000,
      text: 'The limit belongs to the Cloudflare plan: give the server a DNS name that Cloudflare does not proxy for uploads.',
      source: 'https://developers.cloudflare.com/workers/platform/limits/',
    },
    times: [
      {
        setting: 'Cloudflare Proxy Read Timeout',
        counts: ['answer'],
        usual: 120 * s,
        status: 524,
        text: () =>
          'Only the Enterprise plan can raise it: give the server a DNS name that Cloudflare does not proxy for uploads.',
        source: 'https://developers.cloudflare.com/fundamentals/reference/connection-limits/',
      },
    ],
  },
  {
    name: 'Amazon API Gateway',
    server: /api gateway/i,
    traces: { 'x-amz-apigw-id': /./ },
    host: /\.execute-api\.[a-z0-9-]+\.amazonaws\.com(\.cn)?$/i,
    size: {
      setting: 'AWS payload limit',
      usual: 10 * MiB,
      text: 'The payload limit of an API Gateway is fixed: lead uploads through a load balancer with instances as targets.',
      source: 'https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html',
    },
    times: [
      {
        setting: 'integration timeout',
        counts: ['answer'],
        usual: 29 * s,
        status: 504,
        text: () =>
          'Regional and private REST APIs can have more by a quota increase, up to 300 s; lead uploads through a load balancer instead.',
        source: 'https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html',
      },
    ],
  },
  {
    name: 'Amazon CloudFront',
    server: /cloudfront/i,
    traces: { 'x-amz-cf-id': /./, via: /\bcloudfront\b/i },
    host: /\.cloudfront\.net$/i,
    times: [
      {
        setting: 'CloudFront origin response timeout',
        counts: ['answer'],
        usual: 30 * s,
        most: 120 * s,
        status: 504,
        text: (seconds) => `Set the origin's response timeout to ${seconds} s in the distribution.`,
        source: 'https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CustomOriginConfig.html',
      },
    ],
  },
  {
    name: 'AWS Application Load Balancer',
    server: /awselb/i,
    host: /\.elb\.amazonaws\.com(\.cn)?$/i,
    size: {
      setting: 'AWS payload limit',
      text: 'A load balancer refuses sizes for Lambda targets alone, and their limit is fixed: use instances or addresses as targets.',
      source: 'https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html',
    },
    times: [
      {
        setting: 'idle_timeout.timeout_seconds',
        counts: ['idle', 'answer'],
        usual: 60 * s,
        most: 4000 * s,
        lines: (seconds) => [
          `aws elbv2 modify-load-balancer-attributes --load-balancer-arn "$LOAD_BALANCER_ARN" --attributes Key=idle_timeout.timeout_seconds,Value=${seconds}`,
        ],
        text: () => 'Run this with the ARN of the load balancer.',
        source:
          'https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-load-balancer-attributes.html',
      },
    ],
  },
  {
    name: 'Google Cloud load balancer',
    traces: { via: /\b1\.1 google\b/i },
    times: [
      {
        setting: 'backend service timeout',
        counts: ['request'],
        usual: 30 * s,
        lines: (seconds) => [
          `gcloud compute backend-services update "$BACKEND_SERVICE" --global --timeout=${seconds}s`,
        ],
        text: () => 'Run this with the name of the backend service; on GKE it is timeoutSec of the BackendConfig.',
        source: 'https://cloud.google.com/load-balancing/docs/backend-service#timeout-setting',
      },
    ],
  },
  {
    name: 'Google Cloud Run',
    server: /google front/i,
    host: /\.run\.app$/i,
    size: {
      setting: 'Cloud Run request size',
      usual: 32 * MiB,
      text: 'Cloud Run takes at most 32 MiB over HTTP/1, and that is fixed: lead uploads round it.',
      source: 'https://cloud.google.com/run/quotas',
    },
    times: [
      {
        setting: 'Cloud Run request timeout',
        counts: ['request'],
        usual: 300 * s,
        most: 3600 * s,
        lines: (seconds) => [`gcloud run services update "$SERVICE" --timeout=${seconds}`],
        text: () => 'Run this with the name of the service.',
        source: cloudRun,
      },
    ],
  },
  {
    name: 'Azure Application Gateway',
    server: /application-gateway/i,
    size: {
      setting: 'maxRequestBodySizeInKb',
      text: "Raise the maximum request body size and the file upload limit in the Application Gateway's WAF policy.",
      source:
        'https://learn.microsoft.com/azure/web-application-firewall/ag/application-gateway-waf-request-size-limits',
    },
    times: [
      {
        setting: 'requestTimeout',
        counts: ['answer'],
        usual: 30 * s,
        most: 86_400 * s,
        lines: (seconds) => [
          `az network application-gateway http-settings update --resource-group "$GROUP" --gateway-name "$GATEWAY" --name "$SETTINGS" --timeout ${seconds}`,
        ],
        text: () => 'Run this with the names of the gateway and of its backend settings.',
        source: 'https://github.com/Azure/azure-powershell/issues/5145',
      },
    ],
  },
  {
    name: 'Azure Front Door',
    traces: { 'x-azure-ref': /./ },
    host: /\.azurefd\.net$/i,
    times: [
      {
        setting: 'origin response timeout',
        counts: ['answer'],
        usual: 30 * s,
        most: 240 * s,
        lines: (seconds) => [
          `az afd profile update --resource-group "$GROUP" --profile-name "$PROFILE" --origin-response-timeout-seconds ${seconds}`,
        ],
        text: () => 'Run this with the name of the profile.',
        source: 'https://learn.microsoft.com/azure/frontdoor/troubleshoot-issues',
      },
    ],
  },
]
