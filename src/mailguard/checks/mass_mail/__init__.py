"""Mail to very many people needs a supervisor's permission; chain letters need somebody's look"""
