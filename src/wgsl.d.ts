declare module '*.wgsl?raw' {
  const source: string;
  export default source;
}

declare module '*.py?raw' {
  const source: string;
  export default source;
}
