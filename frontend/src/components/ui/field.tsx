import { clsx } from "clsx";
import { useId, type ComponentProps, type ReactNode } from "react";

interface FieldProps {
  label: string;
  hint?: ReactNode;
  error?: string | null;
  /** Gets the ids that tie the control to its label, hint and error. */
  children: (control: { id: string; "aria-describedby"?: string; "aria-invalid"?: boolean }) => ReactNode;
}

export function Field({ label, hint, error, children }: FieldProps) {
  const id = useId();
  const note = error ?? hint;
  return (
    <div className="grid content-start gap-1.5">
      <label htmlFor={id} className="text-[0.83rem] font-medium">
        {label}
      </label>
      {children({ id, "aria-describedby": note ? `${id}-note` : undefined, "aria-invalid": error ? true : undefined })}
      {note && (
        <p id={`${id}-note`} className={clsx("text-[0.8rem]", error ? "text-red" : "text-muted")} role={error ? "alert" : undefined}>
          {note}
        </p>
      )}
    </div>
  );
}

type InputProps = Omit<ComponentProps<"input">, "children"> & Omit<FieldProps, "children">;

/** A labelled text input. */
export function TextField({ label, hint, error, className, ...rest }: InputProps) {
  return (
    <Field label={label} hint={hint} error={error}>
      {(control) => <input className={clsx("field", className)} {...control} {...rest} />}
    </Field>
  );
}

type SelectProps = Omit<ComponentProps<"select">, "children"> &
  Omit<FieldProps, "children"> & { children: ReactNode };

export function SelectField({ label, hint, error, className, children, ...rest }: SelectProps) {
  return (
    <Field label={label} hint={hint} error={error}>
      {(control) => (
        <select className={clsx("field", className)} {...control} {...rest}>
          {children}
        </select>
      )}
    </Field>
  );
}
