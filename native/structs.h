/* msgspec structs in compiled code: their fields and their types without a search each time.

   mypyc knows where the fields of its own classes lie. A struct is foreign to it, so every `event.customer` searches
   the type's methods for a descriptor and asks that, and `isinstance` asks the instance what class it pretends to be.
   These two were a tenth and a twentieth of an event. native/build.py has this file included before all that mypyc
   makes. */

#if __has_include(<CPy.h>) /* not in the shims that only load the compiled whole */
#include <Python.h>
#include <CPy.h>

/* Each place in the code remembers the last type it met, by the version that CPython gives a type and takes from it
   when the type is changed, and where the field lies in it. CPython's interpreter does the same since 3.11
   (LOAD_ATTR_SLOT, PEP 659). */

typedef struct {
    unsigned int version; /* of the last type met here; 0, which no type has, before */
    Py_ssize_t offset;    /* of the field in an instance of it; 0 if it is no plain field */
} FieldPlace;

static PyObject *search_attribute(PyObject *instance, PyObject *name, FieldPlace *place)
{
    PyTypeObject *type = Py_TYPE(instance);
    PyObject *descriptor = _PyType_Lookup(type, name); /* gives the type a version if it has none */
    place->version = type->tp_version_tag;
    place->offset = 0;
    if (descriptor && Py_IS_TYPE(descriptor, &PyMemberDescr_Type) && type->tp_getattro == PyObject_GenericGetAttr) {
        PyMemberDef *field = ((PyMemberDescrObject *)descriptor)->d_member;
        if (field->type == T_OBJECT_EX && (field->flags & ~READONLY) == 0)
            place->offset = field->offset;
    }
    return PyObject_GetAttr(instance, name);
}

static inline PyObject *attribute(PyObject *instance, PyObject *name, FieldPlace *place)
{
    if (__builtin_expect(Py_TYPE(instance)->tp_version_tag == place->version && place->version, 1)) {
        if (place->offset) {
            PyObject *value = *(PyObject **)((char *)instance + place->offset);
            if (__builtin_expect(value != NULL, 1)) {
                Py_INCREF(value);
                return value;
            }
        }
        return PyObject_GetAttr(instance, name);
    }
    return search_attribute(instance, name, place);
}

#undef CPyObject_GetAttr
#define CPyObject_GetAttr(instance, name)          \
    ({                                             \
        static FieldPlace place;                   \
        attribute((instance), (name), &place);     \
    })

/* The class of all structs' classes, once one was met. It lets no class decide what its instances are, and no struct
   pretends to be another. */
static PyTypeObject *struct_meta;

static int search_instance(PyObject *instance, PyObject *kind)
{
    PyTypeObject *meta = Py_TYPE(kind);
    if (!struct_meta && !strcmp(meta->tp_name, "msgspec._core.StructMeta"))
        struct_meta = meta;
    return PyObject_IsInstance(instance, kind);
}

static inline int is_instance(PyObject *instance, PyObject *kind)
{
    PyTypeObject *type = Py_TYPE(instance);
    if (type == (PyTypeObject *)kind)
        return 1;
    if (struct_meta && Py_TYPE(kind) == struct_meta && (Py_TYPE(type) == struct_meta || instance == Py_None))
        return PyType_IsSubtype(type, (PyTypeObject *)kind);
    return search_instance(instance, kind);
}

#define PyObject_IsInstance(instance, kind) is_instance((instance), (kind))
#endif
