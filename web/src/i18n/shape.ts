/** The same keys, with text of one's own: a translation of `T`. */
export type Shape<T> = { readonly [K in keyof T]: T[K] extends string ? string : Shape<T[K]> }
