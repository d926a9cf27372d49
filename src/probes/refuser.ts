/** Who wrote an error answer: its `server` header, else what only one product's page says. Undefined when neither tells. */
export const refuser = (answer: { readonly server?: string; readonly page: string }): string | undefined => {
  const { server, page } = answer
  // What stands in front passes this page on under its own name.
  if (workerEnded.test(page)) return 'gunicorn'
  // A request filter's page (404.13) comes with the same server header as everything else from IIS.
  if (server !== undefined && !applications.test(server)) return server
  const byPage = pages.find(([pattern]) => pattern.test(page))?.[1]
  return byPage ?? server
}

/** gunicorn's own page, which it writes when a worker is ended: MLflow's errors look different. */
const workerEnded = /<h1><p>Internal Server Error<\/p><\/h1>/

/** Servers that have no limit of their own: a refusal with such a header was rewritten on the way, or none is known. */
const applications = /^(uvicorn|gunicorn|werkzeug|waitress)/i

/** The products' built-in pages for 413 and for time-outs. */
const pages: readonly (readonly [RegExp, string])[] = [
  [/<center>nginx/i, 'nginx'],
  [/<center>openresty/i, 'openresty'],
  [
    /The request entity exceeds the maximum allowed\.|Your browser didn't send a complete request in time\.|The server didn't respond in time\./,
    'haproxy',
  ],
  [/does not allow request data with .* requests, or the amount of data|exceeds the capacity limit/i, 'Apache'],
  [/404\.13|The request filtering module/i, 'Microsoft-IIS'],
  [/cloudflare/i, 'cloudflare'],
  [/^(?:Payload Too Large|upstream request timeout|stream timeout)$/i, 'envoy'],
  [/^(?:Request Entity Too Large|Gateway Timeout)$/i, 'Traefik'],
  [/^(?:\{"message":)?"?Request Too Long"?\}?$/i, 'Amazon API Gateway'],
  [/Request Entity Too Large.*(?:Google|Cloud Run)/is, 'Google Frontend'],
]
