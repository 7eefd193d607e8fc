"""Numbers of the ELF format that lkm uses, named as in elf(5).

Source: System V ABI, chapter 4; elf(5); binutils, include/elf/common.h.
"""

from __future__ import annotations

# e_ident
MAGIC = b"\x7fELF"
ELFCLASS32, ELFCLASS64 = 1, 2
ELFDATA2LSB, ELFDATA2MSB = 1, 2

# e_type
ET_REL, ET_EXEC, ET_DYN, ET_CORE = 1, 2, 3, 4

# e_machine
EM_SPARC = 2
EM_386, EM_486 = 3, 6
EM_MIPS = 8
EM_PPC, EM_PPC64 = 20, 21
EM_S390, EM_S390_OLD = 22, 0xA390
EM_ARM = 40
EM_SPARCV9 = 43
EM_X86_64 = 62
EM_AARCH64 = 183
EM_RISCV = 243
EM_LOONGARCH = 258

# sh_type
SHT_NULL = 0
SHT_PROGBITS = 1
SHT_SYMTAB = 2
SHT_STRTAB = 3
SHT_RELA = 4
SHT_NOTE = 7
SHT_NOBITS = 8
SHT_REL = 9
SHT_SYMTAB_SHNDX = 18

# sh_flags
SHF_WRITE = 0x1
SHF_ALLOC = 0x2
SHF_EXECINSTR = 0x4

# st_shndx, e_shstrndx
SHN_UNDEF = 0
SHN_LORESERVE = 0xFF00
SHN_ABS = 0xFFF1
SHN_COMMON = 0xFFF2
SHN_XINDEX = 0xFFFF

# upper half of st_info
STB_LOCAL, STB_GLOBAL, STB_WEAK = 0, 1, 2

# lower half of st_info
STT_NOTYPE, STT_OBJECT, STT_FUNC, STT_SECTION, STT_FILE = 0, 1, 2, 3, 4
STT_SPARC_REGISTER = 13

# n_type of notes named "GNU"
NT_GNU_BUILD_ID = 3
