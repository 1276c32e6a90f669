/**
 * A kernel is declared once: its bindings, its parameters and its text. The WGSL declarations of both are written from the
 * declaration, and a dispatch gives all of them by name, so that neither side can disagree with the other about an order.
 */
import type * as tf from '@tensorflow/tfjs';
import { invariant } from '../protocol/errors.ts';
import { paramFields, paramsWgsl, type ParamField, type ParamTypes, type ParamValues } from './kernel-params.ts';

/** What a kernel reads or writes: a tensor or a raw buffer. */
export type Binding = tf.Tensor | GPUBuffer;

/** Access and WGSL type of a storage binding; with "?" a dispatch may leave it out, and its contents are arbitrary then. */
export type BindingType = `${'read' | 'write'}${'' | '?'} ${string}`;
export type BindingTypes = Readonly<Record<string, BindingType>>;

type OptionalName<B extends BindingTypes> = { [Name in keyof B]: B[Name] extends `${string}? ${string}` ? Name : never }[keyof B];
/** Buffers of a dispatch by name. */
export type Bindings<B extends BindingTypes> = { [Name in Exclude<keyof B, OptionalName<B>>]: Binding } & { [Name in OptionalName<B>]?: Binding };

export interface KernelDeclaration<B extends BindingTypes, P extends ParamTypes, C> {
  /** For error messages and labels. */
  name: string;
  /** In WGSL, each is a variable of this name. */
  bindings: B;
  /** In WGSL, the fields of `params`; a flag is a u32 that is 0 or 1. */
  params: P;
  /** The rest of the module. Constants are compiled in: each set of them is a pipeline of its own. */
  wgsl: (constants: C) => string;
  /** "main" when left out. */
  entryPoint?: string;
}

/** @see defineKernel */
export interface Kernel<B extends BindingTypes = BindingTypes, P extends ParamTypes = ParamTypes, C = never> extends Readonly<KernelDeclaration<B, P, C>> {
  readonly slots: readonly BindingSlot[];
  readonly fields: readonly ParamField[];
}

export interface BindingSlot {
  readonly name: string;
  readonly access: 'read' | 'write';
  readonly optional: boolean;
  readonly wgslType: string;
}

/** One dispatch of a kernel. */
export type Launch<B extends BindingTypes, P extends ParamTypes, C> = {
  bindings: Bindings<B>;
  params: ParamValues<P>;
  /** Workgroup counts; a first count over 65,535 must be folded by the caller. */
  groups: readonly [number, number?, number?];
} & (object extends C ? { constants?: C } : { constants: C });

const BINDING = /^(read|write)(\??) (\S.*)$/;
const IDENTIFIER = /^[A-Za-z]\w*$/;

/**
 * Declares a kernel; made once per module, since pipelines are kept by declaration and constants.
 *
 *     const SCALE = defineKernel({
 *       name: 'scale',
 *       bindings: { x: 'read array<f32>', y: 'write array<f32>' },
 *       params: { count: 'u32', factor: 'f32' },
 *       wgsl: (constants: { THREADS: number }) => withConstants(constants, wgsl),
 *     });
 *     gpu.run(SCALE, { constants: { THREADS: 64 }, bindings: { x, y }, params: { count, factor }, groups: [Math.ceil(count / 64)] });
 *
 * @throws Error "Invariant violation" when a declaration cannot be written as WGSL
 */
export function defineKernel<const B extends BindingTypes, const P extends ParamTypes, C = object>(declaration: KernelDeclaration<B, P, C>): Kernel<B, P, C> {
  const { name, bindings, params } = declaration;
  const slots = Object.entries(bindings).map(([variable, type]) => {
    const match = BINDING.exec(type);
    invariant(match, `${name}: binding ${variable} has the type "${type}"`);
    return { name: variable, access: match[1] as BindingSlot['access'], optional: match[2] === '?', wgslType: match[3] };
  });
  for (const variable of [...Object.keys(bindings), ...Object.keys(params)]) invariant(IDENTIFIER.test(variable), `${name}: "${variable}" is no WGSL name`);
  return { ...declaration, slots, fields: paramFields(params) };
}

/** The whole WGSL module of a kernel with its constants. Storage bindings are group 0 in the declared order, parameters are group 1. */
export function moduleText<C>(kernel: Kernel<BindingTypes, ParamTypes, C>, constants: C): string {
  const text = kernel.wgsl(constants);
  // WGSL wants `enable` before all declarations.
  const directives = /^\s*(?:enable\s[^;]+;\s*)*/.exec(text)![0];
  const bindings = kernel.slots.map(
    ({ name, access, wgslType }, index) => `@group(0) @binding(${index}) var<storage, ${access === 'read' ? 'read' : 'read_write'}> ${name}: ${wgslType};\n`,
  );
  return `${directives}${bindings.join('')}${paramsWgsl(kernel.params)}${text.slice(directives.length)}`;
}

/** WGSL constants put before a kernel's text. Numbers become u32. */
export function withConstants<C extends Readonly<Record<keyof C, number | boolean>>>(constants: C, wgsl: string): string {
  const lines = Object.entries<number | boolean>(constants).map(([name, value]) => `const ${name} = ${value}${typeof value === 'number' ? 'u' : ''};`);
  return `${lines.join('\n')}\n${wgsl}`;
}
