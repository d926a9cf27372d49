import { defineCheck, type Finding } from '../../src/check.ts'
import { proxies } from '../../src/needs/declarations.ts'

const facts = { host: 'text', proxy: 'text', proxyVariable: 'text' } as const
type Found = Finding<typeof facts>

const names = { tracking: 'the tracking server', store: 'the store' } as const

export default defineCheck({
  id: 'network/proxies',
  title: 'The proxy variables say for each hop what they seem to say',
  severity: 'error',
  on: ['check'],
  needs: [proxies],
  wants: [],
  facts,
  explain: {
    measures:
      'Reads HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY in both spellings, as Python does it, for the tracking server and for the store that the client speaks to itself: requests for MLflow’s own calls, botocore for S3, which knows neither ALL_PROXY nor networks in NO_PROXY. The host of URLs that a server signs is known only once it has signed one; the canaries then go the same way. User and password of a proxy are never shown.',
    breaks:
      'Small calls to the tracking server pass while the upload is sent through a corporate proxy that limits bodies, cuts long connections or cannot reach the store; or the other way round. The client names neither the proxy nor the variable.',
    remedy: 'Put the host into NO_PROXY in the form that Python matches, or correct the variable that is named.',
  },
  async *run({ proxies: { hops, doubled, unmatched, exceptionsFrom } }) {
    for (const { role, host, exception, by, proxy, malformed, near, otherwise } of hops) {
      const facts = { host, ...(proxy && { proxy: proxy.origin, proxyVariable: proxy.variable }) }
      const except = {
        text: `Add ${exception} to ${exceptionsFrom}.`,
        commands: [exceptionLine(exceptionsFrom, exception)],
      }
      if (malformed !== undefined) {
        yield {
          kind: 'finding',
          at: malformed,
          says: `${malformed} decides about ${names[role]} at ${host} and is no address of a proxy, so that the call fails before it is sent`,
          facts: { host, proxyVariable: malformed },
          remedy: {
            text: `Set ${malformed} to an address such as http://proxy.example.com:3128, or unset it.`,
            commands: [`unset ${malformed}`],
          },
        } satisfies Found
        continue
      }
      if (proxy?.socks === true) {
        yield {
          kind: 'finding',
          at: proxy.variable,
          severity: by === 'botocore' ? 'error' : 'warning',
          says: `${names[role]} at ${host} is reached through the SOCKS proxy of ${proxy.variable}: ${by === 'botocore' ? 'botocore speaks no SOCKS' : 'requests needs the package PySocks for that'}`,
          facts,
          remedy:
            by === 'botocore'
              ? except
              : { text: 'Install PySocks beside MLflow.', commands: ["python -m pip install 'requests[socks]'"] },
        } satisfies Found
      } else if (proxy !== undefined && near) {
        yield {
          kind: 'finding',
          at: proxy.variable,
          severity: 'warning',
          says: `${names[role]} at ${host} is near, and the client goes to it through the proxy ${proxy.origin} of ${proxy.variable}: Python makes no exception for local hosts by itself`,
          facts,
          remedy: except,
        } satisfies Found
      }
      if (by === 'botocore' && otherwise !== undefined) {
        yield {
          kind: 'finding',
          at: exceptionsFrom,
          severity: 'warning',
          says:
            proxy === undefined
              ? `${names[role]} at ${host} is reached without a proxy, although ALL_PROXY names one: botocore does not read that variable`
              : `${names[role]} at ${host} is reached through the proxy ${proxy.origin}, although a network in ${exceptionsFrom} holds it: botocore reads names and addresses there, and no networks`,
          facts,
          remedy:
            proxy === undefined
              ? {
                  text: 'Name the proxy in HTTPS_PROXY (and HTTP_PROXY), too, where the store should be reached through it.',
                }
              : except,
        } satisfies Found
      }
    }
    const [first, second] = hops
    if (first && second && (first.proxy === undefined) !== (second.proxy === undefined)) {
      const said = [first, second].map(
        ({ role, host, proxy }) =>
          `${names[role]} at ${host} ${proxy === undefined ? 'without a proxy' : `through ${proxy.origin} (${proxy.variable})`}`,
      )
      yield {
        kind: 'finding',
        at: exceptionsFrom,
        severity: 'info',
        says: `one hop of the upload goes through a proxy and the other does not: ${said.join(', ')}`,
        facts: {},
        remedy: { text: `Where that is not meant, correct ${exceptionsFrom}.` },
      } satisfies Found
    }
    if (hops.length === 0) return
    for (const name of doubled) {
      yield {
        kind: 'finding',
        at: name,
        severity: 'warning',
        says: `${name} and ${name.toUpperCase()} say different things; Python reads the lower-case one, other programs the other`,
        facts: { proxyVariable: name },
        remedy: { text: 'Give both the same value, or unset one.', commands: [`unset ${name.toUpperCase()}`] },
      } satisfies Found
    }
    for (const entry of unmatched) {
      const plain = entry.replace(/^[a-z]+:\/\//, '').replace(/^\*/, '')
      yield {
        kind: 'finding',
        at: exceptionsFrom,
        severity: 'warning',
        says: `${JSON.stringify(entry)} in ${exceptionsFrom} matches no host: Python compares the endings of names, without * and without http://`,
        facts: {},
        remedy: {
          text: `Write ${/^[\w.:-]+$/.test(plain) ? plain : 'the bare ending of the name, such as .example.com,'} in its place, with commas between entries.`,
        },
      } satisfies Found
    }
  },
})

const exceptionLine = (name: string, host: string): string => `export ${name}="\${${name}:+$${name},}${host}"`
