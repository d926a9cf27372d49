import type { Product, Recognised, Seen } from './product.ts'
import { products } from './table.ts'

/** The product of that name, as it stands in a `Server` header or comes from an error page. */
export const productOf = (name: string | undefined): Product | undefined =>
  name === undefined ? undefined : products.find(({ server }) => server?.test(name))

const hint = (product: Product, seen: Seen): string | undefined => {
  if (seen.software !== undefined && productOf(seen.software) === product)
    return `by its Server header ${seen.software}`
  for (const [header, pattern] of Object.entries(product.traces ?? {})) {
    const value = seen.traces?.[header]
    if (value !== undefined && pattern.test(value)) return `by the header ${header}`
  }
  if (seen.host !== undefined && product.host?.test(seen.host)) return `by the host name ${seen.host}`
  return seen.answered?.some((name) => productOf(name) === product) ? 'by its error page' : undefined
}

/** Every product that gives itself away; several where one stands behind the other. */
export const recognise = (seen: Seen): readonly Recognised[] =>
  products.flatMap((product) => {
    const how = hint(product, seen)
    // Istio is an Envoy with other defaults, and Envoy's own header comes with it.
    if (how === undefined || (product.name === 'Envoy' && /istio/i.test(seen.software ?? ''))) return []
    return [{ product, how }]
  })

/** MLflow's own server from 3.3 on, or a proxy that passes its name on. It has no time-out for bodies, and waits for them. */
export const isUvicorn = (software: string | undefined): boolean => /^uvicorn/i.test(software ?? '')
